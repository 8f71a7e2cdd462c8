package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

// Check proves the invariants of the store of a stopped daemon, and reports each thing that is wrong. Where the key can
// be had, every value is opened too. There may be no store at all.
func Check(o Options, report func(problem string)) error {
	if _, err := os.Stat(o.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := openFile(o.Path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	check, err := readCheck(db)
	if err != nil {
		report(err.Error())
	}
	// Without the key the shape of things is looked at; that it is not there is no damage.
	k, err := o.Key.load(o.Data)
	if err == nil && check != nil {
		if _, err := k.open(check.Sealed, "", "", ""); err != nil {
			report(fmt.Sprintf("the key in %s is not the one that the secrets are sealed to, whose public key is %s", k.path, shown(check.Recipient)))
			k = nil
		}
	}
	return db.View(func(tx *bbolt.Tx) error {
		c := checker{tx: tx, keys: k, report: report, seen: map[string]bool{}}
		return errors.Join(tx.Bucket(bucketSecrets).ForEach(c.row), tx.Bucket(bucketValues).ForEach(c.value), c.events(bucketAudit), c.events(bucketDenied))
	})
}

type checker struct {
	tx     *bbolt.Tx
	keys   *keys
	report func(string)
	seen   map[string]bool // keys of values that a row names
}

func (c *checker) say(format string, args ...any) { c.report(fmt.Sprintf("secrets: "+format, args...)) }

func (c *checker) row(k, v []byte) error {
	name, project, _ := splitKey(k)
	var r row
	if err := json.Unmarshal(v, &r); err != nil {
		c.say("the row of %s cannot be read: %v", shown(name), err)
		return nil
	}
	if r.Name != name || r.Project != project || CheckName(name) != nil || project != ownProject && checkProject(project) != nil || CheckRefs(r.Refs) != nil {
		c.say("the row of %s of %s is not what its key says", shown(name), projectShown(project))
	}
	if len(r.Versions) == 0 || len(r.Versions) > keepVersions {
		c.say("%s has %d versions", shown(name), len(r.Versions))
	}
	for _, version := range r.Versions {
		key := valueKey(name, project, version.ID)
		c.seen[string(key)] = true
		sealed := c.tx.Bucket(bucketValues).Get(key)
		switch {
		case sealed == nil:
			c.say("version %s of %s has no value", shown(version.ID), shown(name))
		case !looksSealed(sealed):
			c.say("version %s of %s holds no sealed value", shown(version.ID), shown(name))
		case c.keys != nil:
			if _, err := c.keys.open(sealed, name, project, version.ID); err != nil {
				c.say("%v", err)
			}
		}
	}
	return nil
}

func (c *checker) value(k, _ []byte) error {
	if name, _, version := splitKey(k); !c.seen[string(k)] {
		c.say("version %s of %s is a value that no secret has", shown(version), shown(name))
	}
	return nil
}

func (c *checker) events(bucket []byte) error {
	return c.tx.Bucket(bucket).ForEach(func(k, v []byte) error {
		var e Event
		if len(k) == 8 && json.Unmarshal(v, &e) != nil {
			c.say("a record of the audit log cannot be read")
		}
		return nil
	})
}
