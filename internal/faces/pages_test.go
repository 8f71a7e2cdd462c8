package faces

import (
	"testing"
)

func TestAStrangerIsAskedToLogIn(t *testing.T) {
	t.Parallel()
	p := look(t).open("/projects/api/builds/1")
	p.has("Log in")
	if p.count(`input[name=next][value="/projects/api/builds/1"]`) != 1 {
		t.Error("the login forgets where its visitor wanted to go")
	}
}
