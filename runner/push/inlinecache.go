package push

import (
	"bytes"
	"encoding/json"
)

// cacheKey is where BuildKit writes, into an image's configuration, of which steps the layers are.
const cacheKey = "moby.buildkit.cache.v0"

// settleCache gives all that the configuration tells of steps one time: when a layer was made depends on what the builder had.
// What cannot be read is left out.
func settleCache(config map[string]json.RawMessage, at string) {
	raw, has := config[cacheKey]
	if !has {
		return
	}
	delete(config, cacheKey)
	var text []byte
	if json.Unmarshal(raw, &text) != nil {
		return
	}
	var steps []any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&steps) != nil {
		return
	}
	stampAll(steps, at)
	text, err := json.Marshal(steps)
	if err != nil {
		return
	}
	if raw, err = json.Marshal(text); err == nil {
		config[cacheKey] = raw
	}
}

func stampAll(v any, at string) {
	switch v := v.(type) {
	case []any:
		for _, of := range v {
			stampAll(of, at)
		}
	case map[string]any:
		if _, has := v["createdAt"]; has {
			v["createdAt"] = at
		}
		for _, of := range v {
			stampAll(of, at)
		}
	}
}
