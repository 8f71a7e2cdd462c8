package buildspec

// Runtime is one runtime of an image, selected by runtime-versions, with the commands that set it up.
type Runtime struct {
	Name     string
	Version  string // as the table has it, or as it was asked for where the table's default entry serves
	Commands []string
	Env      []Var // set for the commands
}
