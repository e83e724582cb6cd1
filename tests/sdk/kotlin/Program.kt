// A round trip with the client of openapi-generator for Kotlin: java ProgramKt URL live|stub
import java.util.UUID
import kotlin.system.exitProcess
import vestibule.apis.AccountApi
import vestibule.apis.LoginApi
import vestibule.apis.SessionsApi
import vestibule.infrastructure.ApiResponse
import vestibule.infrastructure.ClientError
import vestibule.infrastructure.Serializer
import vestibule.infrastructure.ServerError
import vestibule.models.LoginRequest
import vestibule.models.Problem
import vestibule.models.RefreshTokenRequest
import vestibule.models.RegisterRequest
import vestibule.models.TokenResponse

private const val PASSWORD = "my_password"

/** The problem codes of a rejected login and a rejected refresh. */
private enum class Codes(val login: String, val refresh: String) {
    LIVE("invalid_credentials", "invalid_token"),
    STUB("made_up_code", "made_up_code"),
}

fun main(arguments: Array<String>) {
    val codes = Codes.entries.find { it.name.lowercase() == arguments.getOrNull(1) }
    if (arguments.size != 2 || codes == null) {
        fail("usage: java ProgramKt URL live|stub")
    }
    roundTrip(arguments[0], codes)
}

private fun roundTrip(url: String, codes: Codes) {
    val username = "sdk-${UUID.randomUUID()}"
    var accessToken: String? = null
    val account = AccountApi(url).apply { accessTokenProvider = { accessToken } }
    val sessions = SessionsApi(url).apply { accessTokenProvider = { accessToken } }
    val logins = LoginApi(url)

    val registered = account.register(RegisterRequest(username = username, password = PASSWORD))
    equal("the user name of the response to /register", registered.username, username)

    val tokens = logins.login(LoginRequest(username = username, password = PASSWORD))
    equal("the token type", tokens.tokenType, "Bearer")

    accessToken = tokens.accessToken
    equal("the user name of the response to /me", account.getMe().username, username)

    val renewed = logins.refreshToken(RefreshTokenRequest(tokens.refreshToken))
    equal("whether the refresh token is new", renewed.refreshToken != tokens.refreshToken, true)

    accessToken = renewed.accessToken
    equal("the user name of the response to /me after the refresh", account.getMe().username, username)

    equal("whether one of the sessions is current", sessions.listSessions().items.any { it.current }, true)

    equal("the status of a logout", sessions.logoutWithHttpInfo().statusCode, 204)

    val late = logins.refreshTokenWithHttpInfo(RefreshTokenRequest(renewed.refreshToken))
    expectRejection("a refresh after the logout", codes.refresh, late)

    val wrong = logins.loginWithHttpInfo(LoginRequest(username = username, password = "not_my_password"))
    expectRejection("a login with a wrong password", codes.login, wrong)
}

private fun expectRejection(what: String, code: String, response: ApiResponse<TokenResponse?>) {
    equal("the status of $what", response.statusCode, 401)
    val body = when (response) {
        is ClientError<*> -> response.body
        is ServerError<*> -> response.body
        else -> null
    }
    val problem = Serializer.moshi.adapter(Problem::class.java).fromJson(body as String)
    equal("the code of $what", problem?.code, code)
}

private fun <T> equal(what: String, got: T, wanted: T) {
    if (got != wanted) {
        fail("$what is $got, not $wanted")
    }
}

private fun fail(message: String): Nothing {
    System.err.println(message)
    exitProcess(1)
}
