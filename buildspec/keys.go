package buildspec

// key is one key of the language.
type key struct {
	name  string
	about string // what it does, for editors
	value shape

	newer bool // came with version 0.2: told in a file of version 0.1
	older bool // of version 0.1 alone
}

// section is a mapping of the language with the keys that it may have. Parser, schema.json and the hints all come
// from the tables of sections (tables.go).
type section struct {
	name string // as messages name it, "" for the top level
	keys []key
	must []string // keys that the schema requires
	// closed sections take no other key at all: another one is an error, not a warning.
	closed bool
}

// named is the section under another name: that of one report, one entry, one service.
func (s section) named(name string) section {
	s.name = name
	return s
}

// find is the key of a name in a file of some version. Keys that the version does not have are not found.
func (s section) find(name, version string) (key, bool) {
	for _, k := range s.keys {
		if k.name == name && (!k.older || version == "0.1") {
			return k, true
		}
	}
	return key{}, false
}

// supported are the names of the keys that a file of version 0.2 may have.
func (s section) supported() []string {
	var names []string
	for _, k := range s.keys {
		if !k.older {
			names = append(names, k.name)
		}
	}
	return names
}

// path names a key of the section in full: "batch.fast-fail".
func (s section) path(name string) string {
	if s.name == "" {
		return name
	}
	return s.name + "." + name
}

// in says where in the text the section is: "in batch", "at the top level".
func (s section) in() string {
	if s.name == "" {
		return "at the top level"
	}
	return "in " + s.name
}
