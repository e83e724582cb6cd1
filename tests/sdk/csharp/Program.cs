// A round trip with the client of openapi-generator for C#: mono program.exe URL live|stub
using System;
using System.Collections.Generic;
using System.Linq;
using Newtonsoft.Json;
using Vestibule.Api;
using Vestibule.Client;
using Vestibule.Model;

internal static class Program
{
    private const string Password = "my_password";

    /// <summary>The problem codes of a rejected login and a rejected refresh.</summary>
    private static readonly Dictionary<string, string[]> RejectionCodes = new Dictionary<string, string[]>
    {
        ["live"] = new[] { "invalid_credentials", "invalid_token" },
        ["stub"] = new[] { "made_up_code", "made_up_code" },
    };

    private static void Main(string[] arguments)
    {
        if (arguments.Length != 2 || !RejectionCodes.ContainsKey(arguments[1]))
        {
            Fail("usage: mono program.exe URL live|stub");
        }
        string url = arguments[0];
        string loginCode = RejectionCodes[arguments[1]][0];
        string refreshCode = RejectionCodes[arguments[1]][1];
        string username = "sdk-" + Guid.NewGuid();
        var logins = new LoginApi(url);

        UserResponse registered = new AccountApi(url).Register(new RegisterRequest(username, Password));
        Equal("the user name of the response to /register", registered.Username, username);

        TokenResponse tokens = logins.Login(new LoginRequest(username, Password));
        Equal("the token type", tokens.TokenType, "Bearer");

        UserResponse me = new AccountApi(SignedIn(url, tokens)).GetMe();
        Equal("the user name of the response to /me", me.Username, username);

        TokenResponse renewed = logins.RefreshToken(new RefreshTokenRequest(tokens.RefreshToken));
        Equal("whether the refresh token is new", renewed.RefreshToken != tokens.RefreshToken, true);

        me = new AccountApi(SignedIn(url, renewed)).GetMe();
        Equal("the user name of the response to /me after the refresh", me.Username, username);

        var sessions = new SessionsApi(SignedIn(url, renewed));
        bool current = sessions.ListSessions().Items.Any(session => session.Current);
        Equal("whether one of the sessions is current", current, true);

        Equal("the status of a logout", (int)sessions.LogoutWithHttpInfo().StatusCode, 204);

        var newest = new RefreshTokenRequest(renewed.RefreshToken);
        ExpectRejection("a refresh after the logout", () => logins.RefreshToken(newest), refreshCode);

        var wrong = new LoginRequest(username, "not_my_password");
        ExpectRejection("a login with a wrong password", () => logins.Login(wrong), loginCode);
    }

    private static Configuration SignedIn(string url, TokenResponse tokens)
    {
        return new Configuration { BasePath = url, AccessToken = tokens.AccessToken };
    }

    private static void ExpectRejection(string what, Func<TokenResponse> request, string code)
    {
        try
        {
            request();
        }
        catch (ApiException rejected) when (rejected.ErrorContent is string body)
        {
            Equal("the status of " + what, rejected.ErrorCode, 401);
            Problem problem = JsonConvert.DeserializeObject<Problem>(body);
            Equal("the code of " + what, problem.Code, code);
            return;
        }
        Fail(what + " succeeds");
    }

    private static void Equal<T>(string what, T got, T wanted)
    {
        if (!EqualityComparer<T>.Default.Equals(got, wanted))
        {
            Fail(what + " is " + got + ", not " + wanted);
        }
    }

    private static void Fail(string message)
    {
        Console.Error.WriteLine(message);
        Environment.Exit(1);
    }
}
