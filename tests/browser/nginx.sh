# nginx in front of a service, for the suite browser. Sourced after tests/support.sh.

# start_nginx FOLDER: starts nginx on a free port of 127.0.0.1, without a service behind it. Sets `$nginx_url`.
start_nginx() {
  local folder=$1 port pid
  mkdir -p "$folder"
  : >"$folder/locations.conf"
  for _ in $(seq 20); do
    port=$((20000 + RANDOM % 10000))
    cat >"$folder/nginx.conf" <<CONF
daemon off;
pid $folder/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    listen 127.0.0.1:$port;
    location = /alive { return 204; }
    include $folder/locations.conf;
  }
}
CONF
    nginx -p "$folder" -c "$folder/nginx.conf" -e "$folder/error.log" &
    pid=$!
    nginx_url=http://127.0.0.1:$port
    if nginx_answers /alive; then
      started+=("$pid")
      nginx_pid=$pid
      return
    fi
    grep -q 'Address already in use' "$folder/error.log" || break
  done
  cat "$folder/error.log" >&2
  return 1
}

nginx_answers() {
  for _ in $(seq 50); do
    curl -fsS -o "$scratch/answer" "$nginx_url$1" 2>/dev/null && return
    sleep 0.1
  done
  return 1
}

# below_auth FOLDER TARGET: forwards the path /auth to the service at $server_url. With the target `/`, nginx removes
# the path; with an empty target, it keeps it.
below_auth() {
  cat >"$1/locations.conf" <<CONF
location /auth/ {
  proxy_pass $server_url$2;
  proxy_set_header Host \$http_host;
  proxy_set_header X-Forwarded-For \$remote_addr;
}
CONF
  kill -HUP "$nginx_pid" && nginx_answers /auth/health/live
}
