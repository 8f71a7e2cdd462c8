package starter

import (
	"path"
	"strings"
)

// writeDocker is for a repository of which only the Dockerfile says how it is built.
func writeDocker(_ folder, r *recipe) {
	r.title = "Builds the image of the Dockerfile."
	r.image = "docker:28-dind"
	r.imageWhy = "it holds a Docker engine, which is started for the job"
	r.privileged = true
	name := "app"
	if base := path.Base(r.dir); plainPath.MatchString(base) && base != "." {
		name = strings.ToLower(base)
	}
	r.variables = [][2]string{{"IMAGE", name}}
	r.install = []step{run("docker version")}
	r.build = []step{
		{why: "The tag is the commit, so that an image tells what is in it.", command: `docker build --tag "$IMAGE:$CODEBUILD_RESOLVED_SOURCE_VERSION" .`},
		run(`docker image ls "$IMAGE"`),
	}
	r.postBuild = []step{{
		why: "post_build runs after a failed build too; this ends it then. To keep the image, push it here:\n" +
			`docker push "$IMAGE:$CODEBUILD_RESOLVED_SOURCE_VERSION"`,
		command: `test "$CODEBUILD_BUILD_SUCCEEDING" = 1`,
	}}
	r.notef("the job is privileged, that is root on the engine's machine: a project must permit that with privileged: true")
}
