// Package access says who may do what: the tokens of the API, the sessions of browsers, and the audit log of what was
// done with them. It knows neither HTTP nor builds.
//
// Nothing in its file opens a door, but for those of badges, which show whether branches pass: of tokens and sessions the SHA-256 is kept, and they have 256 random bits, so that a
// plain hash is as good as a slow one. All of them are in memory too, so that a request reads no file.
package access
