package config

// What is tried again that ended by the machine's fault.
const (
	// RetryAlways tries every such job again.
	RetryAlways = "always"
	// RetryBeforeCommands tries those again of which no command had begun. Where neither project nor daemon chose, it holds
	// for jobs of trusted builds that are given parameters, secrets or git credentials, since a deploy whose end was lost may
	// have happened, and RetryAlways for all others.
	RetryBeforeCommands = "before-commands"
	// RetryNever tries none again.
	RetryNever = "never"
)

var retryFaults = []string{RetryAlways, RetryBeforeCommands, RetryNever}
