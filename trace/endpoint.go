package trace

import (
	"cmp"
	"net/url"
	"os"
	"strings"
)

// FromEnvironment tells whether the variables of OpenTelemetry name a collector, and by which protocol.
func FromEnvironment() (protocol string, set bool) {
	set = cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), HTTP), set
}

// tracesURL adds the path that OTLP has for traces to an endpoint without one.
func tracesURL(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return endpoint
	}
	u.Path = "/v1/traces"
	return u.String()
}
