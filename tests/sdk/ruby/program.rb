# frozen_string_literal: true

# A round trip with the client of openapi-generator for Ruby: ruby program.rb URL live|stub

require "json"
require "securerandom"
require "uri"
require "vestibule"

PASSWORD = "my_password"
# The problem codes of a rejected login and a rejected refresh.
REJECTION_CODES = {
  "live" => %w[invalid_credentials invalid_token],
  "stub" => %w[made_up_code made_up_code]
}.freeze

def round_trip(url, login_code, refresh_code)
  username = "sdk-#{SecureRandom.uuid}"
  address = URI(url)
  configuration = Vestibule::Configuration.new
  configuration.scheme = address.scheme
  configuration.host = "#{address.host}:#{address.port}"
  client = Vestibule::ApiClient.new(configuration)
  account = Vestibule::AccountApi.new(client)
  logins = Vestibule::LoginApi.new(client)
  sessions = Vestibule::SessionsApi.new(client)

  registered = account.register(Vestibule::RegisterRequest.new(username: username, password: PASSWORD))
  equal("the user name of the response to /register", registered.username, username)

  tokens = logins.login(Vestibule::LoginRequest.new(username: username, password: PASSWORD))
  equal("the token type", tokens.token_type, "Bearer")
  equal("the class of access_token", tokens.access_token.class, String)

  configuration.access_token = tokens.access_token
  equal("the user name of the response to /me", account.get_me.username, username)

  renewed = logins.refresh_token(Vestibule::RefreshTokenRequest.new(refresh_token: tokens.refresh_token))
  equal("the class of refresh_token", renewed.refresh_token.class, String)
  equal("whether the refresh token is new", renewed.refresh_token != tokens.refresh_token, true)

  configuration.access_token = renewed.access_token
  equal("the user name of the response to /me after the refresh", account.get_me.username, username)

  list = sessions.list_sessions
  equal("whether one of the sessions is current", list.items.any?(&:current), true)

  _, status = sessions.logout_with_http_info
  equal("the status of a logout", status, 204)

  newest = Vestibule::RefreshTokenRequest.new(refresh_token: renewed.refresh_token)
  expect_rejection("a refresh after the logout", refresh_code) { logins.refresh_token(newest) }

  wrong = Vestibule::LoginRequest.new(username: username, password: "not_my_password")
  expect_rejection("a login with a wrong password", login_code) { logins.login(wrong) }
end

def expect_rejection(what, code)
  yield
rescue Vestibule::ApiError => e
  equal("the status of #{what}", e.code, 401)
  problem = Vestibule::Problem.build_from_hash(JSON.parse(e.response_body))
  equal("the code of #{what}", problem.code, code)
else
  abort("#{what} succeeds")
end

def equal(what, got, wanted)
  abort("#{what} is #{got.inspect}, not #{wanted.inspect}") unless got == wanted
end

abort("usage: ruby program.rb URL live|stub") unless ARGV.size == 2 && REJECTION_CODES.key?(ARGV[1])
round_trip(ARGV[0], *REJECTION_CODES.fetch(ARGV[1]))
