package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxCommentPages bounds how far back a comment is looked for, in pages of a hundred.
const maxCommentPages = 10

// comment is what of a comment is read, in any forge's form.
type comment struct {
	ID      int64  `json:"id"`
	Body    string `json:"body"` // GitHub, GitLab, Gitea, Gogs
	Text    string `json:"text"` // Bitbucket Server
	Version int    `json:"version"`
	Content struct {
		Raw string `json:"raw"`
	} `json:"content"` // Bitbucket Cloud
	Deleted bool `json:"deleted"`
}

func (c *comment) text() string { return c.Body + c.Text + c.Content.Raw }

// comments is where a forge has the comments of one pull request.
func (a *API) comments(repository string, number int) (string, error) {
	owner, name, _ := strings.Cut(repository, "/")
	switch a.Forge {
	case NameGitHub:
		return fmt.Sprintf("repos/%s/issues/%d/comments", repository, number), nil
	case NameGitea, NameForgejo, NameGogs:
		return fmt.Sprintf("api/v1/repos/%s/issues/%d/comments", repository, number), nil
	case NameGitLab:
		return fmt.Sprintf("api/v4/projects/%s/merge_requests/%d/notes", url.PathEscape(repository), number), nil
	case NameBitbucket:
		return fmt.Sprintf("2.0/repositories/%s/pullrequests/%d/comments", repository, number), nil
	case NameBitbucketServer:
		return fmt.Sprintf("rest/api/1.0/projects/%s/repos/%s/pull-requests/%d/comments", owner, name, number), nil
	}
	return "", fmt.Errorf("%q is no forge", clip(a.Forge))
}

// one is where one comment is. GitHub and Gitea number comments over the whole repository.
func (a *API) one(all string, repository, id string) string {
	switch a.Forge {
	case NameGitHub:
		return fmt.Sprintf("repos/%s/issues/comments/%s", repository, id)
	case NameGitea, NameForgejo:
		return fmt.Sprintf("api/v1/repos/%s/issues/comments/%s", repository, id)
	}
	return all + "/" + id
}

// commentBody is a text in the form that a forge takes.
func (a *API) commentBody(text string) map[string]any {
	switch a.Forge {
	case NameBitbucket:
		return map[string]any{"content": map[string]string{"raw": text}}
	case NameBitbucketServer:
		return map[string]any{"text": text}
	}
	return map[string]any{"body": text}
}

// AddComment writes a comment on a pull request, and returns its id.
func (a *API) AddComment(ctx context.Context, repository string, number int, text string) (id string, err error) {
	path, err := a.comments(repository, number)
	if err != nil {
		return "", err
	}
	var made comment
	if err := a.ask(ctx, "commenting on a pull request", http.MethodPost, path, a.commentBody(text), &made); err != nil {
		return "", err
	}
	return strconv.FormatInt(made.ID, 10), nil
}

// ErrNoComment is of a comment that somebody has removed.
var ErrNoComment = errors.New("the comment is not there any more")

// EditComment changes a comment. Its error wraps ErrNoComment where the comment is gone.
func (a *API) EditComment(ctx context.Context, repository string, number int, id, text string) error {
	all, err := a.comments(repository, number)
	if err != nil {
		return err
	}
	const doing = "editing a comment"
	path, method, body := a.one(all, repository, id), http.MethodPatch, a.commentBody(text)
	switch a.Forge {
	case NameGitLab, NameBitbucket:
		method = http.MethodPut
	case NameBitbucketServer:
		method = http.MethodPut
		var now comment // whose version must be named
		if err := a.ask(ctx, doing, http.MethodGet, path, nil, &now); err != nil {
			return orGone(err)
		}
		body["version"] = now.Version
	}
	return orGone(a.ask(ctx, doing, method, path, body, nil))
}

func orGone(err error) error {
	var answered *APIError
	if errors.As(err, &answered) && (answered.Status == http.StatusNotFound || answered.Status == http.StatusGone) {
		return fmt.Errorf("%w: %w", ErrNoComment, err)
	}
	return err
}

// FindComment returns the id of the oldest comment of a pull request that has a text in it, or "". The oldest, because
// anybody can copy what he reads.
func (a *API) FindComment(ctx context.Context, repository string, number int, has string) (id string, err error) {
	all, err := a.comments(repository, number)
	if err != nil {
		return "", err
	}
	if a.Forge == NameBitbucketServer {
		return a.findActivity(ctx, strings.TrimSuffix(all, "/comments")+"/activities", has)
	}
	seen := int64(0)
	for page := 1; page <= maxCommentPages; page++ {
		some, err := a.commentPage(ctx, all, page)
		if err != nil || len(some) == 0 || some[0].ID == seen { // a forge without pages answers them all each time
			return "", err
		}
		seen = some[0].ID
		for i := range some {
			if !some[i].Deleted && strings.Contains(some[i].text(), has) {
				return strconv.FormatInt(some[i].ID, 10), nil
			}
		}
	}
	return "", nil
}

// commentPage is one page of comments, oldest first.
func (a *API) commentPage(ctx context.Context, all string, page int) (some []comment, err error) {
	const doing = "looking for a comment"
	switch a.Forge {
	case NameBitbucket:
		var out struct {
			Values []comment `json:"values"`
		}
		err = a.ask(ctx, doing, http.MethodGet, fmt.Sprintf("%s?sort=created_on&pagelen=100&page=%d", all, page), nil, &out)
		return out.Values, err
	case NameGitLab:
		all += "?sort=asc&order_by=created_at&per_page=100"
	case NameGitHub:
		all += "?per_page=100"
	default:
		all += "?limit=100"
	}
	err = a.ask(ctx, doing, http.MethodGet, fmt.Sprintf("%s&page=%d", all, page), nil, &some)
	return some, err
}

// findActivity looks through what happened to a pull request of Bitbucket Server's, which comes newest first.
func (a *API) findActivity(ctx context.Context, path, has string) (id string, err error) {
	for start, pages := 0, 0; pages < maxCommentPages; pages++ {
		var out struct {
			Values []struct {
				Action  string  `json:"action"`
				Comment comment `json:"comment"`
			} `json:"values"`
			Last bool `json:"isLastPage"`
			Next int  `json:"nextPageStart"`
		}
		if err := a.ask(ctx, "looking for a comment", http.MethodGet, fmt.Sprintf("%s?limit=100&start=%d", path, start), nil, &out); err != nil {
			return "", err
		}
		for _, v := range out.Values {
			if v.Action == "COMMENTED" && strings.Contains(v.Comment.Text, has) {
				id = strconv.FormatInt(v.Comment.ID, 10)
			}
		}
		if out.Last || out.Next <= start {
			break
		}
		start = out.Next
	}
	return id, nil
}
