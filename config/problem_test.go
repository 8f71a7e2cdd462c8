package config

import (
	"errors"
	"strings"
	"testing"
)

// TestProblems gives one wrong file a line: where the problem is, and what the answer must say.
func TestProblems(t *testing.T) {
	const project = "projects:\n- {name: api, url: 'https://x/y', "
	for name, c := range map[string]struct{ text, at, message, hint string }{
		"slip in a key":              {"listne: :1", "1:1", `unknown key "listne"`, `did you mean "listen"?`},
		"other case":                 {"limits:\n  queueTimeout: 1m", "2:3", `unknown key "queueTimeout" in limits`, `"queue-timeout"`},
		"key of another place":       {"image: x", "1:1", `unknown key "image"`, "belongs at projects[].image"},
		"key of nowhere":             {"proxy:\n  zzzzzz: 1", "2:3", `in proxy`, "the keys here are http, https, no"},
		"key twice":                  {"slots: 1\nslots: 2", "2:1", "already defined", "remove one"},
		"not YAML":                   {"listen: a: b", "1:9", "not YAML", ""},
		"second document":            {"slots: 1\n---\nslots: 2", "3:1", "second YAML document", "one document"},
		"list for mapping":           {"- a", "1:1", "must be a mapping", ""},
		"mapping for list":           {"projects: {name: x}", "1:11", "must be a list", ""},
		"mapping for text":           {"listen: {a: b}", "1:9", "must be text, but this is a mapping", ""},
		"text for number":            {"slots: many", "1:8", "must be a whole number", ""},
		"fraction of a slot":         {"slots: 1.5", "1:8", "must be a whole number", ""},
		"yes for true":               {"allow-file-urls: yes", "1:18", "must be true or false", ""},
		"empty value":                {"listen:", "1:9", "has no value", "remove the line"},
		"no slots":                   {"slots: 0", "1:8", "not between", "number of cores"},
		"size without unit":          {"limits: {memory: 4}", "1:18", "has no unit", "4GiB"},
		"size of nonsense":           {"limits: {log: 4 bananas}", "1:15", "unknown unit", "4GiB"},
		"huge size":                  {"limits: {log: 9999999999TiB}", "1:15", "more than fits", ""},
		"duration bare":              {"limits: {timeout: 60}", "1:19", "has no unit", "60m"},
		"negative duration":          {"limits: {timeout: -5m}", "1:19", "negative", ""},
		"no time":                    {"limits: {timeout: 1ms}", "1:19", "not between 1s", ""},
		"address":                    {"listen: localhost", "1:9", "is no address", "127.0.0.1:8080"},
		"port":                       {"listen: ':99999'", "1:9", "is no port", "65535"},
		"own url":                    {"url: ci.example.com", "1:6", "no web address", "https://"},
		"engine twice":               {"engines:\n- id: a\n- id: a", "3:7", "is there already", "of its own"},
		"engine without id":          {"engines:\n- type: docker", "2:3", "is no id", ""},
		"engine type":                {"engines:\n- {id: a, type: dokcer}", "2:17", `"dokcer" is not known`, `"docker"`},
		"host of process":            {"engines:\n- {id: a, type: process, host: 'unix:///x'}", "2:32", "no such setting", "docker"},
		"mount over proc":            {"engines:\n- {id: a, mounts: [{source: /a, target: /proc/1}]}", "2:41", "over /proc/1", ""},
		"engine's socket":            {"engines:\n- {id: a, mounts: [{source: /var/run/docker.sock, target: /s}]}", "2:29", "whole machine", ""},
		"password alone":             {"registries:\n- {server: x, password: 'env:A'}", "2:3", "one of username and password", ""},
		"another name of Docker Hub": {"registries:\n- {server: index.docker.io}", "2:12", "Docker Hub by another name", "write docker.io"},
		"short name":                 {"projects:\n- {name: a, url: 'https://x/y'}", "2:10", "is no name of a project", "2 to 150"},
		"name missing":               {"projects:\n- url: https://x/y", "2:3", "name is missing", ""},
		"project twice":              {"projects:\n- {name: ab, url: 'https://x/y'}\n- {name: AB, url: 'https://x/y'}", "3:10", "as projects[0]", ""},
		"file url":                   {"projects:\n- {name: ab, url: 'file:///x'}", "2:19", "not allowed", "allow-file-urls"},
		"password in url":            {"projects:\n- {name: ab, url: 'https://u:hunter2@x/y'}", "2:19", "password may not stand", ""},
		"url of a host":              {"projects:\n- {name: ab, url: 'https://x/'}", "2:19", "names no repository", ""},
		"url of no kind":             {"projects:\n- {name: ab, url: 'gopher://x/y'}", "2:19", `"gopher" is not supported`, ""},
		"literal secret":             {project + "token: hunter2hunter2}", "2:42", "value may not stand here", "env:NAME"},
		"secret in two lines":        {"projects:\n- name: ab\n  url: https://x/y\n  token: |\n    hunter2\n    hunter2", "4:10", "value may not stand here", ""},
		"key for https":              {project + "ssh-key: 'file:/k'}", "2:44", "of no use", "ssh address"},
		"pull":                       {project + "pull: allways}", "2:41", "is not known", `"always"`},
		"way out":                    {project + "buildspec: ../b.yml}", "2:46", "leads out", ""},
		"reserved variable":          {project + "env: {CODEBUILD_X: 1}}", "2:54", "reserved", ""},
		"odd variable":               {project + "env: {A-B: 1}}", "2:46", "no name of an environment variable", ""},
		"priority":                   {project + "priority: 101}", "2:45", "-100 and 100", ""},
		"filter without EVENT":       {project + "filters: [[{type: HEAD_REF, pattern: x}]]}", "2:45", "needs a filter of type EVENT", "type: EVENT"},
		"filters not in groups":      {project + "filters: [{type: EVENT, pattern: PUSH}]}", "2:45", "must be a list", ""},
		"filter of Actions":          {project + "filters: [[{type: EVENT, pattern: PUSH}, {type: WORKFLOW_NAME, pattern: x}]]}", "2:83", "GitHub Actions", "take the filter out"},
		"filter type":                {project + "filters: [[{type: EVENT, pattern: PUSH}, {type: HEAD_REFS, pattern: x}]]}", "2:83", "is not known", `"HEAD_REF"`},
		"event of Actions":           {project + "filters: [[{type: EVENT, pattern: 'PUSH, WORKFLOW_JOB_QUEUED'}]]}", "2:69", "asks CodeBuild for a runner", "take the word out"},
		"event in small letters":     {project + "filters: [[{type: EVENT, pattern: push}]]}", "2:69", "is not known", `"PUSH"`},
		"pattern with look-ahead":    {project + "filters: [[{type: EVENT, pattern: PUSH}, {type: FILE_PATH, pattern: '(?!a)'}]]}", "2:103", "invalid", "RE2"},
		"path from the root":         {project + "paths: [/src/**]}", "2:43", "no path in a repository begins", "docs/**"},
		"path turned round":          {project + "paths: ['!docs/**']}", "2:43", "! has no meaning", "paths-ignore"},
		"path broken off":            {project + "paths-ignore: ['[a']}", "2:50", "no pattern of paths", ""},
		"skip words":                 {project + "skip-words: never}", "2:47", "is not known", "on or off"},
		"cancel":                     {project + "cancel-superseded: yes}", "2:54", "is not known", "true or false"},
		"group of nothing":           {project + "concurrency: {limit: 2}}", "2:48", "no group", "deploy"},
		"group of nowhere":           {project + "concurrency: {group: 'x-{commit}'}}", "2:56", "stands for nothing", "{branch}"},
		"group with a limit below":   {project + "concurrency: {group: x, limit: -1}}", "2:66", "not between 1", ""},
		"engine of nowhere":          {project + "engine: remote}", "2:43", `no engine "remote"`, "the engines are local"},
		"branch":                     {project + "branch: 'a..b'}", "2:43", "no name of a branch", ""},
		"tag":                        {"data: !!binary aGk=", "1:7", "tags have no meaning", ""},
		"alias of nothing":           {"data: *nothing", "1:7", "no anchor", ""},
		"merge":                      {"limits: &a {pids: 99}\nprojects:\n- name: ab\n  url: https://x/y\n  limits:\n    <<: *a", "6:5", "merge keys", ""},
		"binary":                     {"\xff\xfe", "", "not UTF-8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("runner.yml", []byte(c.text))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			p := problems[0]
			head := "runner.yml:" + c.at + ": error: "
			if c.at == "" {
				head = "runner.yml: error: "
			}
			if text := p.String(); !strings.HasPrefix(text, head) || !strings.Contains(p.Message, c.message) || !strings.Contains(p.Hint, c.hint) {
				t.Errorf("got\n%s\nwant %s…%s… hint …%s…", text, head, c.message, c.hint)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret shows:\n%v", err)
			}
		})
	}
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	_, err := Parse("r.yml", []byte("slots: x\nlimits:\n  pids: 1\nurl: nowhere\nlistem: a\n"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 4 {
		t.Fatalf("want 4 problems, got:\n%v", err)
	}
	for i, line := range []int{1, 3, 4, 5} {
		if problems[i].Line != line {
			t.Errorf("problem %d is at line %d, want %d", i, problems[i].Line, line)
		}
	}
}

func TestExcerptMarksTheWord(t *testing.T) {
	_, err := Parse("runner.yml", []byte("limits:\n  queueTimeout: 10m\n"))
	want := `runner.yml:2:3: error: unknown key "queueTimeout" in limits
   1 | limits:
   2 |   queueTimeout: 10m
     |   ^^^^^^^^^^^^
hint: did you mean "queue-timeout"?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", everyKey, "a: b: c", "projects: &x [*x]", "limits: &x {cpus: *x}", "- - - -", "\t", "? a\n: b",
		"projects:\n- {name: a, env: {A: |\n", "a: &b\n  - *b", "listen: \"\\x00\"", "{", "%YAML 1.2\n---\n...", "'",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("runner.yml", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		var problems Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Fatalf("an error without problems: %v", err)
		}
	})
}
