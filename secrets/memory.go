package secrets

import (
	"context"
	"maps"
	"slices"
)

// Memory is the secrets of one local build, by name. Whoever runs a build on his own machine may have what he gave it:
// there are no scopes, no versions and no audit.
type Memory struct {
	Values map[string]string
	// Hint says what to do about a name that is not there.
	Hint string
}

// Check tells whether there is such a value. The error wraps ErrNotFound.
func (m Memory) Check(ctx context.Context, who Subject, ref Ref) error {
	_, err := m.Value(ctx, who, ref)
	return err
}

// Value returns a value, or a field of it. The error wraps ErrNotFound.
func (m Memory) Value(_ context.Context, _ Subject, ref Ref) (string, error) {
	t, err := resolve(ref)
	if err != nil {
		return "", err
	}
	for _, name := range t.names {
		value, ok := m.Values[name]
		switch {
		case !ok:
			continue
		case t.stage != StageCurrent:
			return "", say(ErrNotFound, "Parameter does not exist: %s has no version %s; a local build has one value of each secret, in stage %s", shown(name), shown(t.version+t.stage), StageCurrent)
		case ref.Key != "":
			return field(name, value, ref.Key)
		}
		return value, nil
	}
	text := noSuch(ref.Name).Error()
	if near := nearestOf(t.names, slices.Sorted(maps.Keys(m.Values))); near != "" {
		return "", say(ErrNotFound, "%s; did you mean %s?", text, near)
	}
	return "", say(ErrNotFound, "%s; %s", text, m.Hint)
}
