// A round trip with the client of openapi-generator for Java: java Program URL live|stub
import java.util.Map;
import java.util.UUID;
import vestibule.AccountApi;
import vestibule.ApiClient;
import vestibule.ApiException;
import vestibule.LoginApi;
import vestibule.LoginRequest;
import vestibule.Problem;
import vestibule.RegisterRequest;
import vestibule.TokenResponse;
import vestibule.UserResponse;

final class Program {
    private static final String PASSWORD = "my_password";
    private static final Map<String, String> REFUSALS = Map.of("live", "invalid_credentials", "stub", "made_up_code");

    private Program() {}

    public static void main(String[] arguments) throws ApiException {
        if (arguments.length != 2 || !REFUSALS.containsKey(arguments[1])) {
            throw fail("usage: java Program URL live|stub");
        }
        String refusal = REFUSALS.get(arguments[1]);
        String username = "sdk-" + UUID.randomUUID();
        ApiClient client = new ApiClient().setBasePath(arguments[0]);
        AccountApi accounts = new AccountApi(client);
        LoginApi logins = new LoginApi(client);

        UserResponse registered = accounts.register(new RegisterRequest().username(username).password(PASSWORD));
        equal("the user name of the answer to /register", registered.getUsername(), username);

        TokenResponse tokens = logins.login(new LoginRequest().username(username).password(PASSWORD));
        equal("the token type", tokens.getTokenType(), "Bearer");

        client.setBearerToken(tokens.getAccessToken());
        UserResponse me = accounts.getMe();
        equal("the user name of the answer to /me", me.getUsername(), username);

        try {
            logins.login(new LoginRequest().username(username).password("not_my_password"));
            throw fail("a login with a wrong password succeeds");
        } catch (ApiException refused) {
            equal("the status of a login with a wrong password", refused.getCode(), 401);
            Problem problem = refused.getErrorObject();
            equal("the code of the problem", problem.getCode(), refusal);
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
