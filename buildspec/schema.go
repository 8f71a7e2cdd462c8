package buildspec

import _ "embed"

//go:embed schema.json
var schemaText []byte

// Schema is the JSON Schema (draft 2020-12) of a buildspec, for editors.
func Schema() []byte { return schemaText }
