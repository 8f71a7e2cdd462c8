package buildspec

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// matrix makes a job for each combination of the axes' values; the last axis changes fastest.
func (p *planner) matrix(m *Matrix) []Job {
	total, factors := 1, make([]string, 0, len(m.Axes))
	for _, a := range m.Axes {
		if total <= MaxJobs { // enough is known beyond that, and the product may not overflow
			total *= len(a.Values)
		}
		factors = append(factors, strconv.Itoa(len(a.Values)))
	}
	found := fmt.Sprintf("build-matrix makes %d jobs", total)
	if total > MaxJobs {
		found = "build-matrix makes more jobs than can be counted here"
		if len(factors) <= 10 {
			found = fmt.Sprintf("build-matrix makes %s jobs", strings.Join(factors, " × "))
		}
	}
	if !p.allow(total, m.at, found) {
		return nil
	}
	p.total = total
	names := namer{used: map[string]bool{}, last: map[string]int{}}
	jobs := make([]Job, 0, total)
	for i := range total {
		if p.size > maxPlanBytes {
			break // checkSize tells
		}
		if j, ok := p.combination(m, pick(m.Axes, i)); ok {
			j.ID = names.id(m.Axes, pick(m.Axes, i))
			j.Identifier = j.ID
			jobs = append(jobs, j)
			p.size += 2 * len(j.ID)
		}
	}
	return jobs
}

// pick is which value of each axis the job of a number has.
func pick(axes []Axis, number int) []int {
	at := make([]int, len(axes))
	for i := len(axes) - 1; i >= 0; i-- {
		at[i] = number % len(axes[i].Values)
		number /= len(axes[i].Values)
	}
	return at
}

// combination is the job that has one value of each axis.
func (p *planner) combination(m *Matrix, at []int) (Job, bool) {
	env, file, fileAt := m.Static, "", m.at
	env.Variables = append(make([]Var, 0, len(m.Static.Variables)+len(at)), m.Static.Variables...)
	var shown []string
	for i, a := range m.Axes {
		value := a.Values[at[i]]
		label := value
		switch a.Key {
		case axisBuildspec:
			file, fileAt = value, a.marks[at[i]]
		case axisCompute:
			env.ComputeType = value
		case axisImage:
			env.Image = value
		case axisType:
			env.Type = value
		case axisPrivileged:
			env.PrivilegedMode = value == "yes"
			label = a.Key + "=" + value
		default:
			name := strings.TrimPrefix(a.Key, axisVariable)
			env.Variables = setVar(env.Variables, Var{Name: name, Value: value})
			label = name + "=" + value
		}
		shown = append(shown, shorten(label))
	}
	from := p.file(file, fileAt)
	if !from.ok {
		return Job{}, false
	}
	j := from.job
	j.Name = strings.Join(shown, ", ")
	if j.Name == "" {
		j.Name = matrixJob
	}
	j.IgnoreFailure = m.IgnoreFailure
	env.apply(&j)
	p.size += from.size + len(j.Name) + varBytes(j.BatchEnv)
	return j, true
}

// setVar sets a variable that may be there: the value of an axis wins over that of static.
func setVar(vars []Var, v Var) []Var {
	for i := range vars {
		if vars[i].Name == v.Name {
			vars[i] = v
			return vars
		}
	}
	return append(vars, v)
}

// matrixJob is the job of a matrix without axes.
const matrixJob = "matrix"

// namer makes the identifiers of a matrix: the values of the axes that have several, letters and digits only, joined
// by underscores. What would be taken gets a number.
type namer struct {
	used map[string]bool
	last map[string]int // the last number given to a name
}

func (n namer) id(axes []Axis, at []int) string {
	var parts []string
	for i, a := range axes {
		if len(a.Values) < 2 {
			continue
		}
		part := part(a.Key, a.Values[at[i]])
		if part == "" {
			part = "v" + strconv.Itoa(at[i]+1)
		}
		parts = append(parts, part)
	}
	id := strings.Join(parts, "_")
	if id == "" {
		id = matrixJob
	}
	const room = longestIdentifier - 8
	if len(id) > room {
		id = strings.Trim(id[:room], "_")
	}
	unique := id
	for n.used[unique] {
		n.last[id] = max(n.last[id], 1) + 1
		unique = id + "_" + strconv.Itoa(n.last[id])
	}
	n.used[unique] = true
	return unique
}

// part is what a value gives to an identifier.
func part(key, value string) string {
	switch key {
	case axisBuildspec:
		value = strings.TrimSuffix(strings.TrimSuffix(value, path.Ext(value)), "/")
	case axisCompute:
		value = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(value, "BUILD_"), "GENERAL1_"))
	case axisPrivileged:
		if value == "yes" {
			return "privileged"
		}
		return "unprivileged"
	}
	return sanitized(value)
}

// sanitized is a text as an identifier: letters, digits, and an underscore for whatever stands between them.
func sanitized(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	return strings.Join(words, "_")
}
