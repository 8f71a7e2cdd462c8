// Package push takes the tar of a built image, as docker save writes it, and brings it to a registry.
//
// The tar comes from where commands of a build ran, so it is hostile: entries, names, sizes and counts are bounded, and each
// layer must have the hash that the image's configuration says. What is pushed is made here of what was read: layers are
// compressed, and what is younger than the source's commit is given the commit's time, so that the same commit comes to the
// same digest wherever its Dockerfile lets it.
//
// A push can be repeated: blobs and tags that the registry has are not sent again.
package push
