package recur

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrRule is wrapped by every error of Parse.
var ErrRule = errors.New("bad recurrence rule")

var frequencies = map[string]Frequency{"DAILY": Daily, "WEEKLY": Weekly, "MONTHLY": Monthly}

// days are the weekdays as RFC 5545 writes them, Sunday first like time.Weekday.
var days = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

const untilLayout = "20060102T150405Z"

// Parse reads the subset of RFC 5545's RRULE that Rule can say, such as "FREQ=MONTHLY;BYDAY=-1FR;COUNT=12".
func Parse(text string) (Rule, error) {
	var r Rule
	for part := range strings.SplitSeq(text, ";") {
		name, value, found := strings.Cut(part, "=")
		if !found {
			return Rule{}, fmt.Errorf("%w: %q is not NAME=VALUE", ErrRule, part)
		}
		if err := r.set(strings.ToUpper(name), strings.ToUpper(value)); err != nil {
			return Rule{}, fmt.Errorf("%w: %s: %w", ErrRule, part, err)
		}
	}
	switch {
	case r.Every == 0:
		return Rule{}, fmt.Errorf("%w: FREQ is missing", ErrRule)
	case r.Every == Daily && len(r.Days) > 0:
		return Rule{}, fmt.Errorf("%w: BYDAY needs FREQ=WEEKLY or MONTHLY", ErrRule)
	case r.Nth != 0 && r.Every != Monthly:
		return Rule{}, fmt.Errorf("%w: a numbered BYDAY needs FREQ=MONTHLY", ErrRule)
	case r.Count > 0 && !r.Until.IsZero():
		return Rule{}, fmt.Errorf("%w: COUNT and UNTIL exclude each other", ErrRule)
	}
	return r, nil
}

func (r *Rule) set(name, value string) (err error) {
	switch name {
	case "FREQ":
		r.Every = frequencies[value]
		if r.Every == 0 {
			return errors.New("want DAILY, WEEKLY or MONTHLY")
		}
	case "INTERVAL":
		r.Interval, err = positive(value)
	case "COUNT":
		r.Count, err = positive(value)
	case "UNTIL":
		r.Until, err = time.Parse(untilLayout, value)
	case "BYDAY":
		return r.setDays(value)
	default:
		return errors.New("not supported")
	}
	return err
}

// setDays reads "MO,WE" or "-1FR". All days must bear the same number.
func (r *Rule) setDays(value string) error {
	for i, day := range strings.Split(value, ",") {
		if len(day) < 2 {
			return fmt.Errorf("%q is no day", day)
		}
		number, name := day[:len(day)-2], day[len(day)-2:]
		weekday := slices.Index(days, name)
		if weekday < 0 {
			return fmt.Errorf("%q is no day", day)
		}
		nth := 0
		if number != "" {
			var err error
			if nth, err = strconv.Atoi(number); err != nil || nth == 0 || nth < -5 || nth > 5 {
				return fmt.Errorf("%q: want a number from -5 to 5 before the day", day)
			}
		}
		if i > 0 && nth != r.Nth {
			return errors.New("days with different numbers")
		}
		r.Nth = nth
		r.Days = append(r.Days, time.Weekday(weekday))
	}
	return nil
}

func positive(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 10_000 {
		return 0, errors.New("want a number from 1 to 10000")
	}
	return n, nil
}

// String writes the rule as Parse reads it.
func (r Rule) String() string {
	var parts []string
	for name, every := range frequencies {
		if every == r.Every {
			parts = append(parts, "FREQ="+name)
		}
	}
	if r.Interval > 1 {
		parts = append(parts, "INTERVAL="+strconv.Itoa(r.Interval))
	}
	if len(r.Days) > 0 {
		var names []string
		for _, day := range r.Days {
			number := ""
			if r.Nth != 0 {
				number = strconv.Itoa(r.Nth)
			}
			names = append(names, number+days[day])
		}
		parts = append(parts, "BYDAY="+strings.Join(names, ","))
	}
	if r.Count > 0 {
		parts = append(parts, "COUNT="+strconv.Itoa(r.Count))
	}
	if !r.Until.IsZero() {
		parts = append(parts, "UNTIL="+r.Until.UTC().Format(untilLayout))
	}
	return strings.Join(parts, ";")
}
