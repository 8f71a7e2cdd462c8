// Package calc divides.
package calc

// Div divides, and is 0 for what cannot be divided.
func Div(a, b int) int {
	if b == 0 {
		return 0
	}
	return a / b
}

func never() int {
	return 1
}
