package runner

import "fmt"

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("engine %s does not answer: %v", e.Engine, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

func (e *ServiceError) Error() string {
	msg := fmt.Sprintf("service %q %s", e.Service, e.Reason)
	if e.Log != "" {
		msg += "; its last lines:\n" + e.Log
	}
	return msg
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("the network of this job is %s, and it cannot be kept to that: %s", e.Network, e.Reason)
}

func (e *ImageError) Error() string {
	msg := fmt.Sprintf("image %q cannot be had: %v", e.Ref, e.Err)
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

func (e *ImageError) Unwrap() error { return e.Err }
