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

func TestTheRedBuild(t *testing.T) {
	t.Parallel()
	_, _, red := theAPI(t)
	p := look(t).as(admin).open("/projects/api/builds/2")
	p.has(red.ID, "failed", "got the token of orders")
	p.everyLook("build-red")
	p.press("?")
	p.has("these keys")
	p.withoutScripts().open("/projects/api/builds/2")
	p.sound()
}
