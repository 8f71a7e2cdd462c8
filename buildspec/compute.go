package buildspec

import "strings"

// Compute is how much of a machine a compute type gives a job. 0 means that CodeBuild names no figure.
type Compute struct {
	CPUs        float64
	MemoryBytes int64
}

const gib = 1 << 30

// computeType is one of CodeBuild's names for the size of a machine.
type computeType struct {
	name    string
	compute Compute
}

// computeTypes have the figures of Linux on x86. Reserved fleets, Lambda and GPUs have sizes of their own: where a
// name alone does not say one, there is no figure.
var computeTypes = []computeType{
	{"BUILD_GENERAL1_SMALL", Compute{2, 4 * gib}},
	{"BUILD_GENERAL1_MEDIUM", Compute{4, 8 * gib}},
	{"BUILD_GENERAL1_LARGE", Compute{8, 16 * gib}},
	{"BUILD_GENERAL1_XLARGE", Compute{36, 72 * gib}},
	{"BUILD_GENERAL1_2XLARGE", Compute{72, 144 * gib}},
	{"BUILD_LAMBDA_1GB", Compute{0, 1 * gib}},
	{"BUILD_LAMBDA_2GB", Compute{0, 2 * gib}},
	{"BUILD_LAMBDA_4GB", Compute{0, 4 * gib}},
	{"BUILD_LAMBDA_8GB", Compute{0, 8 * gib}},
	{"BUILD_LAMBDA_10GB", Compute{0, 10 * gib}},
	{"ATTRIBUTE_BASED_COMPUTE", Compute{}},
	{"CUSTOM_INSTANCE_TYPE", Compute{}},
}

// ComputeOf is what a compute type gives a job on Linux; false if nobody knows the name.
func ComputeOf(name string) (Compute, bool) {
	for _, t := range computeTypes {
		if t.name == name {
			return t.compute, true
		}
	}
	return Compute{}, false
}

func computeNames() []string {
	names := make([]string, len(computeTypes))
	for i, t := range computeTypes {
		names[i] = t.name
	}
	return names
}

// envTypes are CodeBuild's kinds of machine.
var envTypes = []string{
	"LINUX_CONTAINER", "LINUX_GPU_CONTAINER", "ARM_CONTAINER", "LINUX_EC2", "ARM_EC2",
	"LINUX_LAMBDA_CONTAINER", "ARM_LAMBDA_CONTAINER",
	"WINDOWS_CONTAINER", "WINDOWS_EC2", "WINDOWS_SERVER_2019_CONTAINER", "WINDOWS_SERVER_2022_CONTAINER", "MAC_ARM",
}

// ForeignType tells whether a kind of machine runs no Linux, also when it is newer than this release. Files that name
// one can be read and planned; its jobs cannot be run here.
func ForeignType(name string) bool {
	return strings.HasPrefix(name, "WINDOWS_") || strings.HasPrefix(name, "MAC_")
}
