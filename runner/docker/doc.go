// Package docker makes sandboxes on a Docker engine, through its API, version 1.41 (Docker 20.10) or newer.
//
// # What Create does
//
//  1. It checks the specification and, once per process, asks the engine what it can do, and makes the network. For
//     a sandbox with services it makes the network runner-<id>.
//  2. It creates the container runner-<id>, with every mount that is the engine's to make, in one call: the engine makes
//     volumes on the way.
//  3. Once per process, it looks whether the agent's volume holds the agent, and fills it if not.
//  4. Meanwhile it sets the firewall's rules, once per process, then creates and starts the services, the containers
//     runner-<id>-svc-<name>, and waits until they are ready.
//  5. It connects to the agent, then starts the container. The first Attach gets that connection. A container that was
//     started tells that all the others were done.
//  6. It mounts the workspace in the container, and joins it to the network, where that is the daemon's to do.
//
// Every step may be repeated; a step that finds its work done goes on. Create of a sandbox that runs does no more than
// the last step, if that was not done; of one that has ended, nothing.
//
// Warm does the same without the workspace of the last step, which it tries out, and Fill mounts that when the job is
// known.
//
// # The default network
//
// Where the daemon mounts in containers, it also joins them to the default network, for which the engine would start a name
// server in each. The engine is told of no network. The network and its bridge stay the engine's, and with them all
// rules of the firewall; it gives out the lower half of the addresses and the daemons the upper one. An address belongs
// to whoever could make the interface that bears it as its name, and the container's end of that is made in the container: no
// daemon remembers anything, and nothing is left when a container ends or a daemon dies at any step.
//
// # Three ways to show files
//
// With the workspaces mount and overlay the engine sees the daemon's files: the snapshot is the lower layer of an overlay
// mount, and the spool is a directory of the host, bound into the sandbox. The overlay is mounted by the daemon, inside
// the running container, or by the engine, as a volume. The daemon makes it in a mount namespace that lives no longer
// than the call, and moves it into the container's: no other process ever sees the mount, so that none is left
// behind, and none has to be shared with the host to get there.
//
// With the workspace copy, for engines elsewhere, everything goes in as one tar stream before the container starts, and
// comes out the same way. Asked for "auto", the first sandbox tries them in this order. The engine refuses to bind a
// directory that it does not have, and the sandbox's directory is named by an id that was never used before, so the
// attempt itself is the probe.
//
// # Names and labels
//
// Containers, volumes and networks of a sandbox bear LabelInstance, LabelEngine and LabelSandbox, services LabelService
// besides, and no method touches one with another instance's label. The default network, the agent's volumes and two
// of the firewall's chains are shared by all instances on the engine.
package docker
