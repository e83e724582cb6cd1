// A round trip with the client of openapi-generator for Go: program URL live|stub
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"sdk/vestibule"
)

const password = "my_password"

// The problem codes of a rejected login and a rejected refresh.
var rejectionCodes = map[string]struct{ login, refresh string }{
	"live": {"invalid_credentials", "invalid_token"},
	"stub": {"made_up_code", "made_up_code"},
}

func main() {
	if len(os.Args) != 3 || rejectionCodes[os.Args[2]].login == "" {
		fail("usage: program URL live|stub")
	}
	url, codes := os.Args[1], rejectionCodes[os.Args[2]]
	ctx := context.Background()
	username := freshName()
	configuration := vestibule.NewConfiguration()
	configuration.Servers = vestibule.ServerConfigurations{{URL: url}}
	client := vestibule.NewAPIClient(configuration)

	registration := vestibule.NewRegisterRequest(username, password)
	registered, _, err := client.AccountAPI.Register(ctx).RegisterRequest(*registration).Execute()
	succeeds("POST /register", err)
	equal("the user name of the response to /register", registered.Username, username)

	credentials := vestibule.NewLoginRequest(username, password)
	tokens, _, err := client.LoginAPI.Login(ctx).LoginRequest(*credentials).Execute()
	succeeds("POST /login", err)
	equal("the token type", tokens.TokenType, "Bearer")

	signedIn := context.WithValue(ctx, vestibule.ContextAccessToken, tokens.AccessToken)
	me, _, err := client.AccountAPI.GetMe(signedIn).Execute()
	succeeds("GET /me", err)
	equal("the user name of the response to /me", me.Username, username)

	newest := vestibule.NewRefreshTokenRequest(tokens.RefreshToken)
	renewed, _, err := client.LoginAPI.RefreshToken(ctx).RefreshTokenRequest(*newest).Execute()
	succeeds("POST /token/refresh", err)
	equal("whether the refresh token is new", renewed.RefreshToken != tokens.RefreshToken, true)

	signedIn = context.WithValue(ctx, vestibule.ContextAccessToken, renewed.AccessToken)
	me, _, err = client.AccountAPI.GetMe(signedIn).Execute()
	succeeds("GET /me after the refresh", err)
	equal("the user name of the response to /me after the refresh", me.Username, username)

	sessions, _, err := client.SessionsAPI.ListSessions(signedIn).Execute()
	succeeds("GET /me/sessions", err)
	current := func(session vestibule.SessionResponse) bool { return session.Current }
	equal("whether one of the sessions is current", slices.ContainsFunc(sessions.Items, current), true)

	response, err := client.SessionsAPI.Logout(signedIn).Execute()
	succeeds("POST /logout", err)
	equal("the status of a logout", response.StatusCode, http.StatusNoContent)

	newest = vestibule.NewRefreshTokenRequest(renewed.RefreshToken)
	_, response, err = client.LoginAPI.RefreshToken(ctx).RefreshTokenRequest(*newest).Execute()
	expectRejection("a refresh after the logout", response, err, codes.refresh)

	wrong := vestibule.NewLoginRequest(username, "not_my_password")
	_, response, err = client.LoginAPI.Login(ctx).LoginRequest(*wrong).Execute()
	expectRejection("a login with a wrong password", response, err, codes.login)
}

func expectRejection(what string, response *http.Response, err error, code string) {
	var rejected *vestibule.GenericOpenAPIError
	if !errors.As(err, &rejected) {
		fail(what, "failed with", err)
	}
	equal("the status of "+what, response.StatusCode, http.StatusUnauthorized)
	problem, ok := rejected.Model().(vestibule.Problem)
	if !ok {
		fail(what, "does not return a problem, but", rejected)
	}
	equal("the code of "+what, problem.Code, code)
}

func freshName() string {
	random := make([]byte, 16)
	_, err := rand.Read(random)
	succeeds("reading random bytes", err)
	return fmt.Sprintf("sdk-%x", random)
}

func succeeds(what string, err error) {
	if err != nil {
		fail(what, "fails:", err)
	}
}

func equal[T comparable](what string, got, wanted T) {
	if got != wanted {
		fail(fmt.Sprintf("%s is %v, not %v", what, got, wanted))
	}
}

func fail(message ...any) {
	fmt.Fprintln(os.Stderr, message...)
	os.Exit(1)
}
