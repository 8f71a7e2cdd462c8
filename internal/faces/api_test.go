package faces

import "testing"

func TestThePagesOfTheAPI(t *testing.T) {
	t.Parallel()
	p := look(t).as(admin).open("/api")
	p.has("GET", "/api/v1/builds/{project}/{number}", "openapi.json")
	p.everyLook("api")
	p.withoutScripts().open("/api/operations/show-build")
	p.has("curl -s", "c.Build(ctx", "api/v1/builds/api/142")
	p.sound()
	p.open("/api/types/Job")
	p.has("Part of", "dependency_failed")
}
