//go:build !race

package daemon

// raceDetector multiplies memory.
const raceDetector = false
