// A round trip with the client of openapi-generator for Java: java Program URL live|stub
import java.util.Map;
import java.util.UUID;
import vestibule.AccountApi;
import vestibule.ApiClient;
import vestibule.ApiException;
import vestibule.LoginApi;
import vestibule.LoginRequest;
import vestibule.Problem;
import vestibule.RefreshTokenRequest;
import vestibule.RegisterRequest;
import vestibule.SessionResponse;
import vestibule.SessionsApi;
import vestibule.SessionsResponse;
import vestibule.TokenResponse;
import vestibule.UserResponse;

final class Program {
    private static final String PASSWORD = "my_password";
    private static final Map<String, Codes> REJECTION_CODES = Map.of(
            "live", new Codes("invalid_credentials", "invalid_token"),
            "stub", new Codes("made_up_code", "made_up_code"));

    /** The problem codes of a rejected login and a rejected refresh. */
    private record Codes(String login, String refresh) {}

    private interface Request {
        TokenResponse send() throws ApiException;
    }

    private Program() {}

    public static void main(String[] arguments) throws ApiException {
        if (arguments.length != 2 || !REJECTION_CODES.containsKey(arguments[1])) {
            throw fail("usage: java Program URL live|stub");
        }
        Codes codes = REJECTION_CODES.get(arguments[1]);
        String username = "sdk-" + UUID.randomUUID();
        ApiClient client = new ApiClient().setBasePath(arguments[0]);
        AccountApi accounts = new AccountApi(client);
        LoginApi logins = new LoginApi(client);
        SessionsApi sessions = new SessionsApi(client);

        UserResponse registered = accounts.register(new RegisterRequest().username(username).password(PASSWORD));
        equal("the user name of the response to /register", registered.getUsername(), username);

        TokenResponse tokens = logins.login(new LoginRequest().username(username).password(PASSWORD));
        equal("the token type", tokens.getTokenType(), "Bearer");

        client.setBearerToken(tokens.getAccessToken());
        UserResponse me = accounts.getMe();
        equal("the user name of the response to /me", me.getUsername(), username);

        TokenResponse renewed = logins.refreshToken(new RefreshTokenRequest().refreshToken(tokens.getRefreshToken()));
        boolean isNew = !renewed.getRefreshToken().equals(tokens.getRefreshToken());
        equal("whether the refresh token is new", isNew, true);

        client.setBearerToken(renewed.getAccessToken());
        UserResponse meAgain = accounts.getMe();
        equal("the user name of the response to /me after the refresh", meAgain.getUsername(), username);

        SessionsResponse list = sessions.listSessions();
        boolean current = list.getItems().stream().anyMatch(SessionResponse::getCurrent);
        equal("whether one of the sessions is current", current, true);

        equal("the status of a logout", sessions.logoutWithHttpInfo().getStatusCode(), 204);

        RefreshTokenRequest newest = new RefreshTokenRequest().refreshToken(renewed.getRefreshToken());
        expectRejection("a refresh after the logout", () -> logins.refreshToken(newest), codes.refresh());

        LoginRequest wrong = new LoginRequest().username(username).password("not_my_password");
        expectRejection("a login with a wrong password", () -> logins.login(wrong), codes.login());
    }

    private static void expectRejection(String what, Request request, String code) {
        try {
            request.send();
            throw fail(what + " succeeds");
        } catch (ApiException rejected) {
            equal("the status of " + what, rejected.getCode(), 401);
            Problem problem = rejected.getErrorObject();
            equal("the code of " + what, problem.getCode(), code);
        }
    }

    private static void equal(String what, Object got, Object wanted) {
        if (!wanted.equals(got)) {
            throw fail(what + " is " + got + ", not " + wanted);
        }
    }

    private static IllegalStateException fail(String message) {
        return new IllegalStateException(message);
    }
}
