package web

import (
	"embed"
	"html/template"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// shared are the templates that every page may use: the layout, and below parts what several pages show alike.
const sharedTemplates = "templates/layout.html"

// parseTemplates reads each page's template, together with the layout and all files whose name begins with an underscore.
func (s *Site) parseTemplates() map[string]*template.Template {
	base := template.Must(template.New("layout").Funcs(s.funcs()).ParseFS(templateFiles, sharedTemplates, "templates/_*.html"))
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err)
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		if base := path.Base(name); name == sharedTemplates || strings.HasPrefix(base, "_") {
			continue
		}
		page := template.Must(template.Must(base.Clone()).ParseFS(templateFiles, name))
		out[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return out
}

// funcs are what templates may call.
func (s *Site) funcs() template.FuncMap {
	return template.FuncMap{
		"path":    s.path,
		"login":   s.loginPath,
		"asset":   s.assetPath,
		"took":    took,
		"size":    size,
		"short":   short,
		"ref":     refName,
		"class":   class,
		"word":    word,
		"project": projectPath,
		"build":   buildPath,
		"may":     may,
		"plural":  plural,
		"strip":   strip,
		"rfc":     rfc,
		"clock":   clock,
		"lower":   strings.ToLower,
		"join":    strings.Join,
		"queued":  queued,
		"lasting": lasting,
		"phase":   lowerPhase,
		"line":    firstLine,
		"words":   words,
		"number":  numberOf,
		"recent":  asBuilds,
		"mayAll":  mayAll,
		"fate":    fate,
		"actions": func() []string { return slices.Sorted(maps.Keys(deeds)) },
		"segment": url.PathEscape,
		"escape":  url.QueryEscape,
		"list":    func(all ...string) []string { return all },
		"dict":    dict,

		"trigger": kindName,
		"since":   secondsSince,
		"after":   func(n int) int { return n + 1 },
		"past":    historyOf,
		"marks":   markStrip,
		"weighed": weighed,
		"result":  resultClass,

		"count":       number,
		"clip":        clip,
		"log":         logPath,
		"kindText":    kindText,
		"failedPhase": failedPhase,
		"shape":       shape,
		"archive":     archivePath,
		"first":       firstRows,
	}
}
