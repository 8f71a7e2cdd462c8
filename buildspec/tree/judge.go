package tree

import (
	"errors"
	"io"
	"os"

	"github.com/runner-ci/runner/buildspec"
)

// Verdict is what was found of one file.
type Verdict struct {
	File     string              `json:"file"` // as it was named
	Path     string              `json:"-"`    // in the repository, with slashes, for the forge's annotations
	Kind     Kind                `json:"-"`    // what was judged
	Valid    bool                `json:"valid"`
	Jobs     []string            `json:"jobs,omitempty"`    // names of the jobs, of a valid buildspec
	Problems []buildspec.Problem `json:"problems"`          // never nil, in the order of the text
	Trouble  string              `json:"trouble,omitempty"` // why the file could not be judged
	Err      error               `json:"-"`                 // the same, for programs; nil when it was judged
}

// Kind is what a file was judged as.
type Kind string

// The kinds of files.
const (
	KindBuildspec     Kind = "buildspec"
	KindConfiguration Kind = "configuration"
	KindQuarantine    Kind = "quarantine"
)

// Place begins the verdict on a file.
func Place(file string, kind Kind) Verdict {
	v := Verdict{File: file, Path: pathInRepository(file), Kind: kind, Problems: []buildspec.Problem{}}
	if file == Stdin {
		v.File = StdinName
	}
	return v
}

// Fail says that the file could not be judged.
func (v Verdict) Fail(err error) Verdict {
	v.Valid, v.Err, v.Trouble = false, err, err.Error()
	return v
}

// Judge judges one buildspec alone: files that its batch names are not looked at. stdin is read for "-".
func Judge(file string, stdin io.Reader) Verdict {
	v := Place(file, KindBuildspec)
	text, err := Read(file, stdin)
	if err != nil {
		return v.Fail(err)
	}
	_, v = v.expand(text, buildspec.Options{})
	return v
}

// Expand makes the plan of a buildspec with all that its batch names, read beneath the repository's root. image is for
// files that name none. The plan is nil when the verdict is not that the file is valid; its warnings are the verdict's
// problems. stdin is read for "-".
func Expand(file, image string, stdin io.Reader) (*buildspec.Plan, Verdict) {
	v := Place(file, KindBuildspec)
	text, err := Read(file, stdin)
	if err != nil {
		return nil, v.Fail(err)
	}
	dir, err := Root(file)
	if err != nil {
		return nil, v.Fail(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, v.Fail(err)
	}
	defer root.Close()
	return v.expand(text, buildspec.Options{Image: image, Read: reader(root)})
}

func (v Verdict) expand(text []byte, o buildspec.Options) (*buildspec.Plan, Verdict) {
	var plan *buildspec.Plan
	spec, err := buildspec.Parse(v.File, text)
	if err == nil {
		plan, err = spec.Plan(o)
	}
	var wrong *buildspec.Error
	switch {
	case errors.As(err, &wrong):
		v.Problems = append(v.Problems, wrong.Problems...)
		return nil, v
	case err != nil:
		return nil, v.Fail(err)
	}
	v.Valid = true
	v.Problems = append(v.Problems, plan.Warnings...)
	for _, job := range plan.Jobs {
		v.Jobs = append(v.Jobs, job.Name)
	}
	return plan, v
}
