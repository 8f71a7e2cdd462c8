//go:build !embedagent

package agentbin

func embedded(string) ([]byte, error) { return nil, ErrNoAgent }
