//go:build race

package testqueue

// raceDetector multiplies time.
const raceDetector = true
