package quarantine

import "strings"

// What pytest calls tests/test_a.py::TestC::test_b is tests.test_a.TestC::test_b in its reports, perhaps with the file
// before it. Entries may name the test by either, and by its file, which most of these reports leave out.

// python is what entries for such a test or file have in them.
const python = ".py"

// maxModules bounds the parts of a module's name.
const maxModules = 20

// pythonNames are all by which an entry may mean a test as pytest calls it, by its id in reports.
func pythonNames(id string) (out []string) {
	class, name, ok := strings.Cut(id, between)
	if ok && strings.HasSuffix(class, python) {
		class, name, ok = strings.Cut(name, between)
	}
	parts := strings.Split(class, ".")
	if !ok || len(parts) > maxModules || strings.ContainsAny(class, "/ ") {
		return nil
	}
	for i := len(parts); i > 0; i-- {
		file := strings.Join(parts[:i], "/") + python
		out = append(out, file)
		around := file
		for _, class := range parts[i:] {
			around += between + class
			out = append(out, around)
		}
		out = append(out, around+between+name)
	}
	return out
}

// idsOf are the ids that reports may have for a test which its runner, pytest or Jest, calls test within a file.
func idsOf(file, test string) []string {
	ids := []string{file + between + test}
	module, ok := strings.CutSuffix(file, python)
	if !ok { // as jest-junit does unless it is told otherwise
		return append(ids, file+between+test+between+test, test+between+test)
	}
	head, values := test, ""
	if i := strings.IndexByte(test, '['); i >= 0 {
		head, values = test[:i], test[i:]
	}
	class := strings.ReplaceAll(module, "/", ".")
	parts := strings.Split(head, between)
	last := len(parts) - 1
	class = strings.Join(append([]string{class}, parts[:last]...), ".")
	id := class + between + parts[last] + values
	return append(ids, file+between+id, id)
}

// Named is the entry for a test that its runner, pytest or Jest, calls test within a file; nil for none.
func (m *Matcher) Named(file, test string) *Entry {
	for _, id := range idsOf(plain(file), test) {
		if e := m.Test(id); e != nil {
			return e
		}
	}
	return nil
}
