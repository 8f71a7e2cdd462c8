package client

import (
	"net/url"
	"strconv"
)

// Address is where the daemon is, as New was told, without a slash at its end.
func (c *Client) Address() string { return c.base }

// PageOf is where a browser sees a build, whose id is like "api#142".
func (c *Client) PageOf(id string) (string, error) {
	project, number, err := SplitBuildID(id)
	if err != nil {
		return "", err
	}
	return c.base + "/projects/" + url.PathEscape(project) + "/builds/" + strconv.Itoa(number), nil
}
