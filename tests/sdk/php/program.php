<?php

// A round trip with the client of openapi-generator for PHP: php program.php URL live|stub

declare(strict_types=1);

use Vestibule\Api\AccountApi;
use Vestibule\Api\LoginApi;
use Vestibule\Api\SessionsApi;
use Vestibule\ApiException;
use Vestibule\Configuration;
use Vestibule\Model\LoginRequest;
use Vestibule\Model\Problem;
use Vestibule\Model\RefreshTokenRequest;
use Vestibule\Model\RegisterRequest;
use Vestibule\Model\SessionsResponse;
use Vestibule\Model\TokenResponse;
use Vestibule\Model\UserResponse;

const PASSWORD = 'my_password';
// The problem codes of a rejected login and a rejected refresh.
const REJECTION_CODES = [
    'live' => ['invalid_credentials', 'invalid_token'],
    'stub' => ['made_up_code', 'made_up_code'],
];

// Warnings are errors. Deprecations are not: they depend on the versions of PHP and Guzzle.
error_reporting(E_ALL & ~E_DEPRECATED);
set_error_handler(function (int $level, string $message, string $file, int $line): bool {
    if ((error_reporting() & $level) === 0) {
        return false;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});

require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $file = __DIR__ . '/generated/lib/' . strtr(substr($class, strlen('Vestibule\\')), '\\', '/') . '.php';
    if (str_starts_with($class, 'Vestibule\\') && is_file($file)) {
        require $file;
    }
});

[, $url, $mode] = $argv + [1 => '', 2 => ''];
if (count($argv) !== 3 || !isset(REJECTION_CODES[$mode])) {
    fail('usage: php program.php URL live|stub');
}
round_trip($url, ...REJECTION_CODES[$mode]);

function round_trip(string $url, string $login_code, string $refresh_code): void
{
    $username = 'sdk-' . bin2hex(random_bytes(16));
    $configuration = (new Configuration())->setHost($url);
    $account_api = new AccountApi(null, $configuration);
    $login_api = new LoginApi(null, $configuration);
    $sessions_api = new SessionsApi(null, $configuration);

    $registered = $account_api->register(new RegisterRequest(['username' => $username, 'password' => PASSWORD]));
    expect_valid('the response to /register', $registered, UserResponse::class);
    equal('the user name of the response to /register', $registered->getUsername(), $username);

    $tokens = $login_api->login(new LoginRequest(['username' => $username, 'password' => PASSWORD]));
    expect_valid('the response to /login', $tokens, TokenResponse::class);
    equal('the token type', $tokens->getTokenType(), 'Bearer');

    $configuration->setAccessToken($tokens->getAccessToken());
    $me = $account_api->getMe();
    expect_valid('the response to /me', $me, UserResponse::class);
    equal('the user name of the response to /me', $me->getUsername(), $username);

    $renewed = $login_api->refreshToken(new RefreshTokenRequest(['refresh_token' => $tokens->getRefreshToken()]));
    expect_valid('the response to /token/refresh', $renewed, TokenResponse::class);
    equal('whether the refresh token is new', $renewed->getRefreshToken() !== $tokens->getRefreshToken(), true);

    $configuration->setAccessToken($renewed->getAccessToken());
    $me = $account_api->getMe();
    expect_valid('the response to /me after the refresh', $me, UserResponse::class);
    equal('the user name of the response to /me after the refresh', $me->getUsername(), $username);

    $sessions = $sessions_api->listSessions();
    expect_valid('the response to /me/sessions', $sessions, SessionsResponse::class);
    $current = array_filter($sessions->getItems(), fn ($session): bool => $session->valid() && $session->getCurrent());
    equal('the number of current sessions', count($current), 1);

    [, $status] = $sessions_api->logoutWithHttpInfo();
    equal('the status of a logout', $status, 204);

    $newest = new RefreshTokenRequest(['refresh_token' => $renewed->getRefreshToken()]);
    expect_rejection('a refresh after the logout', fn () => $login_api->refreshToken($newest), $refresh_code);

    $wrong = new LoginRequest(['username' => $username, 'password' => 'not_my_password']);
    expect_rejection('a login with a wrong password', fn () => $login_api->login($wrong), $login_code);
}

/** Checks the class of a response, and the required members, which the client does not check by itself. */
function expect_valid(string $what, mixed $response, string $class): void
{
    if (!$response instanceof $class) {
        fail("$what is not a $class: " . get_debug_type($response));
    }
    equal("the list of invalid properties of $what", implode(', ', $response->listInvalidProperties()), '');
}

function expect_rejection(string $what, callable $request, string $code): void
{
    try {
        $request();
    } catch (ApiException $rejected) {
        equal("the status of $what", $rejected->getCode(), 401);
        $problem = $rejected->getResponseObject();
        expect_valid("the problem of $what", $problem, Problem::class);
        equal("the code of $what", $problem->getCode(), $code);
        return;
    }
    fail("$what succeeds");
}

function equal(string $what, mixed $got, mixed $wanted): void
{
    if ($got !== $wanted) {
        fail("$what is " . var_export($got, true) . ', not ' . var_export($wanted, true));
    }
}

function fail(string $message): never
{
    fwrite(STDERR, "$message\n");
    exit(1);
}
