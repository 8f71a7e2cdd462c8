// Package server is the HTTP face of the daemon: webhooks in, a JSON API, logs and archives as streams.
//
// Every request takes these steps:
//
//  1. It is logged when it ends, and a panic in it becomes a problem with an id that the log has too.
//  2. Its route is looked up. Unless that is a webhook or a health check, a bearer token is demanded: what nobody
//     thought of is closed, not open.
//  3. Its handler runs. Handlers of JSON are huma operations, which validate input against the same Go types that
//     package client has and that the OpenAPI document is made of.
//  4. An error becomes an RFC 9457 problem that says what happened and what to do.
//
// Nothing here holds a transaction or a whole file while it writes to the network: logs and artifacts are copied
// block by block, and a reader that stalls is cut off after writeTimeout and may come back with an offset.
package server
