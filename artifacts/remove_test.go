package artifacts

import "testing"

func TestManyAreRemovedAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := aWeek(t)
	ids := []string{"set1", "log2", "never", "set3"}
	for range 2 { // doing it twice is doing it once
		if err := s.Remove(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	clean(t, s)
	if want := "set0 set2 set4 set5 set6 log0 log1 log3 log4 log5 log6"; left(t, s) != want {
		t.Errorf("left are %s, want %s", left(t, s), want)
	}
	if st := stats(t, s); st.Chunks != 5 {
		t.Errorf("%d chunks are kept, want those of five sets", st.Chunks)
	}
}
