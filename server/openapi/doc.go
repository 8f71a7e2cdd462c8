// Package openapi completes the OpenAPI document that huma makes of the operations and their Go types: descriptions from the
// comments that stand beside the types, the words that a status or a kind can be, examples, and what the tags mean.
//
// Descriptions are read from the source by a test, which writes them to descriptions.json:
//
//	go test ./server/openapi -update
package openapi
