package client

// Reason is one of the words that stand beside a status and say what came about: for programs, as the message is for people.
type Reason struct {
	Word   string
	Status string // that it stands beside
	Means  string
}

// Reasons is every word that a build, a job or an attempt can have for its reason; docs/api.md has the same table. New words
// may come, and none changes its meaning.
var Reasons = []Reason{
	{"command_failed", "FAILED", "a command ended with another status than 0; `exit` and `command` say which"},
	{"oom", "FAILED", "the kernel killed a process for lack of memory (`limits.memory`), while the command that failed ran, or the container as a whole"},
	{"pids_limit", "FAILED", "a process could not be started, because there were as many as may be (`limits.pids`), and the command failed"},
	{"artifacts", "FAILED", "the artifacts that the buildspec lists are missing or cannot be taken in"},
	{"service", "FAILED", "a service beside the job did not start or did not become ready"},
	{"image", "FAILED", "an image does not exist, is not for the engine's platform, or the registry does not give it to us"},
	{"no_image", "FAILED", "neither buildspec nor project names an image"},
	{"shell_missing", "FAILED", "the image lacks the shell"},
	{"shell", "FAILED", "the buildspec asks for a shell that jobs here do not have"},
	{"run_as", "FAILED", "the user of `run-as` does not exist in the image, or commands cannot run as it"},
	{"runtime_versions", "FAILED", "a runtime of the buildspec is not to be had"},
	{"buildspec", "FAILED", "the buildspec is wrong; the message has the line"},
	{"buildspec_missing", "FAILED", "the commit has no buildspec"},
	{"secrets", "FAILED or FAULT", "a parameter or secret does not exist or is not for this build (FAILED); the store could not be opened (FAULT)"},
	{"privileged", "FAILED", "the job asks for `privileged-mode` and may not have it"},
	{"environment_type", "FAILED", "the job asks for another system or architecture than the engine's"},
	{"dependency_failed", "FAILED", "not started, because a job that it depends on did not succeed"},
	{"spool_damaged", "FAILED", "something in the job wrote to its agent's files, so its result cannot be trusted"},
	{"timeout", "TIMED_OUT", "a job took longer than `limits.timeout`; `phase` says where it was"},
	{"queue_timeout", "TIMED_OUT", "a job waited longer than `limits.queue-timeout`, for a slot or for another try after a fault"},
	{"stopped", "STOPPED", "somebody stopped the build; the message says who, by the name of their token, or that the daemon did"},
	{"fast_fail", "STOPPED", "another job failed, and the build has fast-fail"},
	{"engine_unavailable", "FAULT", "the engine did not answer"},
	{"unknown_engine", "FAULT", "the project's engine is not configured"},
	{"provisioning", "FAULT", "the job's container or its workspace could not be made"},
	{"image_pull", "FAULT", "a registry could not be reached, refused for a time, or is not trusted by the engine"},
	{"sandbox_lost", "FAULT", "the job's container vanished while it ran, or could not be run"},
	{"agent_killed", "FAULT", "the job's container ended before its agent could say how the job went: something killed it from outside, or the engine or its machine was restarted"},
	{"agent_restarted", "FAULT", "the job's container was started a second time"},
	{"agent_error", "FAULT", "the agent itself could not go on"},
	{"spool_unreadable", "FAULT", "what the job left could not be read"},
	{"disk_full", "FAULT", "the daemon's disk is full"},
	{"store", "FAULT", "the daemon could not store what the job said"},
	{"settings", "FAULT", "a setting of the daemon or project cannot be used: a secret's file is missing, say"},
	{"project_removed", "FAULT", "the project was removed before its build was planned"},
	{"trigger", "FAULT", "the build's trigger cannot be read"},
	{"source", "FAULT", "the source could not be had, for a cause without a word of its own"},
	{"source_bad_url", "FAILED", "the repository's URL, the ref or the commit is malformed"},
	{"source_file_refused", "FAULT", "`file://` is not allowed"},
	{"source_unreachable", "FAULT", "no answer from the remote"},
	{"source_tls", "FAULT", "the remote's certificate is not trusted"},
	{"source_host_key", "FAULT", "the remote's SSH key is unknown or changed"},
	{"source_auth", "FAULT", "credentials are missing, wrong or insufficient"},
	{"source_not_found", "FAULT", "no repository is there"},
	{"source_not_git", "FAULT", "something answers that is not git"},
	{"source_unknown_ref", "FAILED", "the repository has no such branch, tag or pull request"},
	{"source_unknown_commit", "FAILED", "the repository has no such commit, or no longer"},
	{"source_corrupt", "FAILED", "what was sent, or the mirror, is damaged"},
	{"source_unsafe", "FAILED", "the tree holds what must not be written to a disk"},
	{"source_lfs", "FAILED", "the tree needs Git LFS, which could not be had"},
	{"source_attributes", "FAILED", "`.gitattributes` asks for what cannot be done"},
	{"source_submodule", "FAILED", "a submodule cannot be had"},
	{"source_too_large", "FAILED", "more bytes or files than allowed"},
	{"source_memory", "FAULT", "unpacking needed more memory than `source.memory`"},
	{"source_timeout", "FAULT", "the fetch took longer than `source.timeout`"},
	{"source_internal", "FAULT", "the daemon's own trouble: disk, permissions"},
}
