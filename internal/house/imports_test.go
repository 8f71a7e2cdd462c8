package house

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// arrow says what the packages of one folder may import of ours, and why no more. A folder stands for what is
// below it too, unless that has an arrow of its own; "x/..." allows everything below x and x itself.
type arrow struct {
	may []string
	why string
}

// arrows is the picture of ARCHITECTURE.md as a table. Data flows down, imports point down, results come back
// through interfaces that the lower package declares.
var arrows = map[string]arrow{
	"client":            {nil, "anyone may use it: server, CLI, strangers"},
	"compare":           {[]string{"client"}, "what makes two builds differ is worked out from records of the API and bytes of logs; who reads them is known further up"},
	"forge/registry":    {[]string{"forge"}, "a registry's payload is a forge's neighbour: GitHub signs both alike"},
	"forge":             {nil, "a forge's payload says nothing about builds; it must be readable alone"},
	"buildspec":         {nil, "text to plan is pure: no I/O, nothing of ours, so that it can be fuzzed and reused"},
	"buildspec/tree":    {[]string{"buildspec"}, "a working tree's files for the pure package above it"},
	"buildspec/starter": {nil, "a folder to text: what the text means is judged by its tests"},
	"artifacts":         {nil, "bytes in, bytes out: what they mean is known further up"},
	"source":            {[]string{"source/..."}, "git to snapshot: who asks for it is known further up"},
	"tests":             {nil, "what tests came to is data: who ran them, and who asks, is known further up"},
	"tests/parse":       {[]string{"tests", "runner/agent/sniff"}, "a hostile file to cases, by the one sniffer that the agent has too; it knows no build"},
	"tests/quarantine":  {[]string{"runner/agent/glob"}, "text to entries is pure; its patterns are those of buildspecs"},
	"tests/history":     {[]string{"tests", "tests/quarantine"}, "what is kept of tests is data, too: who parsed it, and which build is meant, is told from above"},
	"access":            {nil, "tokens, sessions and what was done: what a request is, and what a build, is known further up"},
	"access/oidc":       {[]string{"access"}, "who somebody is, as a provider of identities says; what that allows is known further up"},
	"secrets":           {nil, "sealed values and who may have them; which build asks is known further up"},
	"config":            {[]string{"buildspec", "notify/message"}, "settings are data; what they do is known further up. A reference to a secret is the language's, and has one reader; a template is tried by whoever renders it"},
	"notify/message":    {nil, "text from data is pure"},
	"notify":            {[]string{"notify/message", "outbox"}, "a message and where it goes; of which build it tells is known further up"},
	"explain":           {[]string{"client", "scheduler", "scheduler/testqueue", "buildspec"}, "rows to steps and figures is pure; who asks, and where the rows lie, is known further up"},
	"terminal":          {[]string{"client", "compare", "buildspec", "buildspec/tree"}, "it shows records of the API, plans and verdicts on buildspecs, and knows nothing else"},

	"runner/wire":        {nil, "it is built into the agent, which must stay small"},
	"runner/agent":       {[]string{"runner/wire", "runner/agent/..."}, "it runs in every sandbox: 1 ms and 1.5 MB, or 50 ms and 32 MB"},
	"runner/agentbin":    {nil, "it carries bytes"},
	"runner/push":        {nil, "the tar of an image to a registry: whose it is, and who may push, is known further up"},
	"runner":             {[]string{"runner/wire", "runner/push", "runner/agent/mask", "buildspec", "source/...", "artifacts"}, "a job knows nothing of queues, projects or HTTP; it declares the interfaces it needs from above. What it is told is masked again, as the agent masks"},
	"runner/docker":      {[]string{"runner", "runner/wire", "runner/agentbin"}, "an executor makes sandboxes; what runs in them is not its business"},
	"runner/process":     {[]string{"runner", "runner/wire", "runner/agentbin", "runner/agent"}, "an executor makes sandboxes; what runs in them is not its business"},
	"runner/conformance": {[]string{"runner", "runner/wire"}, "one suite for every executor can name none of them"},

	"activity": {nil, "whatever lives long may say what it does"},
	"metrics":  {[]string{"client"}, "it counts what it is told, by the words that people are told; who tells is known further up"},

	"trace": {[]string{"activity", "scheduler", "runner"}, "rows to spans; nobody but the daemon knows that it is there"},

	"scheduler/testqueue": {nil, "a state machine without I/O, so that ten thousand simulated days take seconds"},
	"outbox":              {[]string{"activity"}, "what is to be told is bytes: who tells it, and of what, is known further up"},
	"scheduler":           {[]string{"activity", "outbox", "scheduler/testqueue", "runner", "runner/wire", "buildspec", "source/...", "artifacts", "config", "secrets", "tests/quarantine"}, "which job runs when, whatever makes the sandboxes and whoever asks"},
	"server":              {[]string{"scheduler", "explain", "source/...", "buildspec", "artifacts", "access", "config", "secrets", "forge/...", "client", "runner/wire", "server/web", "tests", "tests/history", "tests/quarantine"}, "the HTTP face calls down; it makes no sandboxes"},
	"server/web":          {[]string{"client"}, "what a page shows is what the API offers everybody"},
	"server/certificates": {nil, "a listener's certificate is nobody else's business"},
	"daemon":              {[]string{"daemon/...", "activity", "metrics", "notify/...", "notify", "outbox", "trace", "server/...", "access/...", "scheduler", "runner/...", "source/...", "buildspec", "artifacts", "config", "secrets", "forge", "client", "tests/..."}, "it assembles the parts, so it knows them all, but no command"},

	"cmd/agent":  {[]string{"runner/agent/...", "runner/wire"}, "few imports, or the binary in every sandbox grows"},
	"cmd/runner": {[]string{"daemon/...", "access", "server", "scheduler", "runner/...", "source/...", "buildspec/...", "artifacts", "config", "secrets", "client", "compare", "terminal", "tests/quarantine"}, "flags in, calls out"},

	"internal/makespan": {[]string{"internal/figures", "scheduler/testqueue", "tests", "tests/parse"}, "figures are of the real queue and the real parsers"},
	"internal":          {[]string{"client", "terminal", "runner/...", "internal/..."}, "what tests and the demo need"},
}

// everywhere may be imported by whoever writes something durable: in a binary that is not made for tests it is nothing.
const everywhere = "internal/failpoint"

// standardOnly are the packages that may import the standard library and what their arrow allows, nothing else.
var standardOnly = map[string]string{
	"client":       "whoever imports the client should not import our dependencies",
	"runner/wire":  "it is built into the agent, which must stay small",
	"runner/agent": "it is the agent",
	"cmd/agent":    "it is the agent",
}

// agentModules are the modules beyond the standard library that the agent may be built from.
var agentModules = []string{"golang.org/x/sys/", "github.com/bmatcuk/doublestar/v4"}

func TestImportsPointDown(t *testing.T) {
	tr := load(t)
	for _, f := range tr.files {
		if f.test {
			continue // a test may stand anywhere above what it tests
		}
		folder, rule, ok := arrowOf(f.dir)
		if !ok {
			t.Errorf("%s: no arrow says what folder %q may import: add it to the table in internal/house/imports_test.go, with the reason", f.path, f.dir)
			continue
		}
		for _, imported := range f.imports() {
			target, mine := ours(imported)
			if mine && target != f.dir && target != everywhere && !allowed(rule.may, target) {
				t.Errorf("%s imports %s, but %s may import only %v: %s", f.path, target, folder, rule.may, rule.why)
			}
		}
	}
}

func TestSmallPackagesStaySmall(t *testing.T) {
	tr := load(t)
	for _, f := range tr.files {
		folder, _, _ := arrowOf(f.dir)
		why, limited := standardOnly[folder]
		if !limited || f.test {
			continue
		}
		for _, imported := range f.imports() {
			if _, mine := ours(imported); mine || !strings.Contains(strings.Split(imported, "/")[0], ".") {
				continue
			}
			if folder != "client" && slices.ContainsFunc(agentModules, func(p string) bool { return strings.HasPrefix(imported, p) }) {
				continue
			}
			t.Errorf("%s imports %s, but %s keeps to the standard library: %s", f.path, imported, folder, why)
		}
	}
}

// arrowOf finds the arrow of a folder, its own or the nearest above.
func arrowOf(dir string) (string, arrow, bool) {
	for folder := dir; folder != "."; folder = path.Dir(folder) {
		if rule, ok := arrows[folder]; ok {
			return folder, rule, true
		}
	}
	return "", arrow{}, false
}

func allowed(may []string, target string) bool {
	return slices.ContainsFunc(may, func(entry string) bool {
		below, deep := strings.CutSuffix(entry, "/...")
		return target == below || deep && strings.HasPrefix(target, below+"/")
	})
}

func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		may    []string
		target string
		want   bool
	}{
		{[]string{"runner"}, "runner", true},
		{[]string{"runner"}, "runner/wire", false},
		{[]string{"runner/..."}, "runner", true},
		{[]string{"runner/..."}, "runner/wire", true},
		{[]string{"runner/..."}, "runners", false},
		{nil, "client", false},
	} {
		if got := allowed(c.may, c.target); got != c.want {
			t.Errorf("allowed(%v, %q) = %v", c.may, c.target, got)
		}
	}
}
