// A round trip with the client of openapi-generator for Go: program URL live|stub
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"

	"sdk/vestibule"
)

const password = "my_password"

var refusals = map[string]string{"live": "invalid_credentials", "stub": "made_up_code"}

func main() {
	if len(os.Args) != 3 || refusals[os.Args[2]] == "" {
		fail("usage: program URL live|stub")
	}
	url, refusal := os.Args[1], refusals[os.Args[2]]
	ctx := context.Background()
	username := freshName()
	configuration := vestibule.NewConfiguration()
	configuration.Servers = vestibule.ServerConfigurations{{URL: url}}
	client := vestibule.NewAPIClient(configuration)

	registration := vestibule.NewRegisterRequest(username, password)
	registered, _, err := client.AccountAPI.Register(ctx).RegisterRequest(*registration).Execute()
	succeeds("POST /register", err)
	equal("the user name of the answer to /register", registered.Username, username)

	credentials := vestibule.NewLoginRequest(username, password)
	tokens, _, err := client.LoginAPI.Login(ctx).LoginRequest(*credentials).Execute()
	succeeds("POST /login", err)
	equal("the token type", tokens.TokenType, "Bearer")

	signedIn := context.WithValue(ctx, vestibule.ContextAccessToken, tokens.AccessToken)
	me, _, err := client.AccountAPI.GetMe(signedIn).Execute()
	succeeds("GET /me", err)
	equal("the user name of the answer to /me", me.Username, username)

	wrong := vestibule.NewLoginRequest(username, "not_my_password")
	_, answer, err := client.LoginAPI.Login(ctx).LoginRequest(*wrong).Execute()
	var refused *vestibule.GenericOpenAPIError
	if !errors.As(err, &refused) {
		fail("a login with a wrong password ends with", err)
	}
	equal("the status of a login with a wrong password", answer.StatusCode, http.StatusUnauthorized)
	problem, ok := refused.Model().(vestibule.Problem)
	if !ok {
		fail("a login with a wrong password answers no problem, but", refused)
	}
	equal("the code of the problem", problem.Code, refusal)
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
