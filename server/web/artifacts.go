package web

import (
	"cmp"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeArtifacts() {
	s.page("GET /projects/{project}/builds/{number}/artifacts", s.artifacts)
}

// mostFiles is how many files of a set are listed; an archive has the others.
const mostFiles = 2000

// artifactRow is one artifact of a build, in a line.
type artifactRow struct {
	client.ArtifactSet
	Title string
	Page  string // where its files are listed
	Zip   string
	Tar   string
}

// artifactRows lists what the jobs of a build left.
func (s *Site) artifactRows(v *visit, b client.Build) (rows []artifactRow, err error) {
	if len(b.Jobs) == 0 {
		return nil, nil
	}
	for _, reports := range []bool{false, true} {
		sets, err := s.Client.ArtifactSums(v.Context(), b.ID, reports)
		if err != nil {
			return nil, err
		}
		for _, set := range sets {
			rows = append(rows, newArtifactRow(b, set))
		}
	}
	return rows, nil
}

func newArtifactRow(b client.Build, set client.ArtifactSet) artifactRow {
	q := choiceQuery(set)
	name := "Artifacts"
	switch {
	case set.Reports:
		name = "Reports"
	case set.Artifact != "":
		name = set.Artifact
	}
	if j := jobOf(b.Jobs, set.Job); len(b.Jobs) > 1 && j != nil {
		name += " of " + j.Name
	}
	zip, tar := choiceQuery(set), choiceQuery(set)
	zip.Set("format", "zip")
	tar.Set("format", "tar.zst")
	archive := apiBuildPath(b) + "/artifacts/archive?"
	return artifactRow{set, name, buildPath(b.ID) + "/artifacts?" + q.Encode(), archive + zip.Encode(), archive + tar.Encode()}
}

// archivePath is where the API has all artifacts of a build as one archive.
func archivePath(b client.Build, format string) string {
	return apiBuildPath(b) + "/artifacts/archive?format=" + format
}

// firstRows is at most n of them.
func firstRows(rows []artifactRow, n int) []artifactRow { return rows[:min(len(rows), n)] }

// choiceQuery names a set in a query, of the page and of the API alike.
func choiceQuery(set client.ArtifactSet) url.Values {
	q := url.Values{"job": {set.Job}}
	switch {
	case set.Reports:
		q.Set("reports", "true")
	default:
		q.Set("artifact", cmp.Or(set.Artifact, client.PrimaryArtifact))
	}
	return q
}

// artifactsPage is the files of a build, and one of them.
type artifactsPage struct {
	Build client.Build
	Rows  []artifactRow
	Row   *artifactRow // the one whose files are listed
	Tree  *folder
	More  int // files that are not listed
	Shown *preview
	Tests string // of the page that has the coverage, where there is any
}

func (s *Site) artifacts(v *visit) (*view, error) {
	b, err := s.theBuild(v)
	if err != nil {
		return nil, err
	}
	p := &artifactsPage{Build: b}
	if p.Rows, err = s.artifactRows(v, b); err != nil {
		return nil, err
	}
	if b.Tests != nil && b.Tests.Coverage != nil {
		p.Tests = buildPath(b.ID) + "/tests#coverage"
	}
	if len(p.Rows) > 0 {
		if err := s.files(v, p, v.URL.Query()); err != nil {
			return nil, err
		}
	}
	return &view{
		Template: "artifacts", Title: "Artifacts of " + b.ID, Icon: icon(class(b.Status)), Data: p,
		Crumbs: []crumb{{b.Project, projectPath(b.Project)}, {"#" + strconv.Itoa(b.Number), buildPath(b.ID)}, {Text: "Artifacts"}},
	}, nil
}

// files lists the chosen set, the first where none is chosen, and shows the chosen file.
func (s *Site) files(v *visit, p *artifactsPage, q url.Values) error {
	p.Row = &p.Rows[0]
	for i := range p.Rows {
		if c := choiceQuery(p.Rows[i].ArtifactSet); c.Get("job") == q.Get("job") && c.Get("artifact") == q.Get("artifact") && c.Get("reports") == q.Get("reports") {
			p.Row = &p.Rows[i]
		}
	}
	list := s.Client.Artifacts
	if p.Row.Reports {
		list = s.Client.Reports
	}
	sets, err := list(v.Context(), p.Build.ID)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if set.Job == p.Row.Job && set.Artifact == p.Row.Artifact {
			p.Row.Files = set.Files
		}
	}
	path := q.Get("path")
	p.More = max(0, len(p.Row.Files)-mostFiles)
	p.Tree = treeOf(p.Row.Files[:min(len(p.Row.Files), mostFiles)], p.Row.Page, path)
	if path == "" {
		path = index(p.Row.Files)
	}
	at := slices.IndexFunc(p.Row.Files, func(f client.ArtifactFile) bool { return f.Path == path })
	if at < 0 {
		return nil
	}
	p.Shown, err = s.preview(v, p.Build, p.Row.ArtifactSet, p.Row.Files[at])
	return err
}

// index is the file that is shown where none was chosen: the page of a report, else the only file.
func index(files []client.ArtifactFile) string {
	best := ""
	for _, f := range files {
		if name := f.Path[strings.LastIndexByte(f.Path, '/')+1:]; name == "index.html" && (best == "" || len(f.Path) < len(best)) {
			best = f.Path
		}
	}
	if best == "" && len(files) == 1 {
		best = files[0].Path
	}
	return best
}

// folder is a folder of a tree of files.
type folder struct {
	Name    string
	Folders []*folder
	Files   []treeFile
	Open    bool
	Count   int
}

// treeFile is one file in it.
type treeFile struct {
	client.ArtifactFile
	Name, Page string
	Current    bool
}

// Regular tells whether there is anything to show.
func (f treeFile) Regular() bool { return fs.FileMode(f.Mode).IsRegular() }

// deepest bounds how deep a tree goes; what lies deeper has a longer name.
const deepest = 12

// treeOf makes folders of paths. page is where a file is shown, with its path added.
func treeOf(files []client.ArtifactFile, page, chosen string) *folder {
	root := &folder{Open: true}
	for _, f := range files {
		if fs.FileMode(f.Mode).IsDir() {
			continue
		}
		parts := strings.SplitN(strings.Trim(f.Path, "/"), "/", deepest)
		at := root
		open := chosen == f.Path
		for _, name := range parts[:len(parts)-1] {
			at.Count++
			at = at.folder(name)
			at.Open = at.Open || open
		}
		at.Count++
		at.Files = append(at.Files, treeFile{f, parts[len(parts)-1], page + "&path=" + url.QueryEscape(f.Path), open})
	}
	for at := root; len(at.Files) == 0 && len(at.Folders) == 1; { // nothing to choose from
		at = at.Folders[0]
		at.Open = true
	}
	return root
}

// folder finds or makes a folder in it. Files come in the order of their paths, so that it is mostly the last.
func (f *folder) folder(name string) *folder {
	for i := len(f.Folders) - 1; i >= 0; i-- {
		if f.Folders[i].Name == name {
			return f.Folders[i]
		}
	}
	f.Folders = append(f.Folders, &folder{Name: name})
	return f.Folders[len(f.Folders)-1]
}
