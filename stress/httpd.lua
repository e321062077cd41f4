-- wrk's side of stress_httpd: every request has a number of its own, every body is checked byte by byte, and each response
-- must answer a request that this thread made and that was not answered yet.
--   wrk -s httpd.lua URL -- ADDRESSES LIMIT SEED
-- LIMIT: responses after which each thread stops. done() prints one line of JSON.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("me", #threads)
end

function init(args)
  addresses, limit, random = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]) % 2147483647 + me
  issued, answered, wrong, statuses, reason = 0, 0, 0, 0, ""
  outstanding = {}
  host = "127.0.0." .. ((me - 1) % addresses + 1)
  wrk.thread.addr = wrk.lookup(host, wrk.port)[1]
end

-- Lehmer's generator: exact in doubles.
local function below(n)
  random = random * 48271 % 2147483647
  return random % n
end

local function pick_size()
  local dice = below(100)
  if dice < 80 then return below(400) end
  if dice < 99 then return below(4000) end
  return below(60000)
end

function request()
  issued = issued + 1
  local id, size = me * 4294967296 + issued, pick_size()
  outstanding[id] = size
  local filler = string.rep("x", below(200))
  return string.format("GET /item/%.0f/%d HTTP/1.1\r\nHost: %s\r\nX-Filler: %s\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                       id, size, host, filler)
end

local function check(body)
  local id, size, sum, data = string.match(body, "^(%d+) (%d+) (%d+)\n()")
  if not id then return "no title" end
  id, size, sum = tonumber(id), tonumber(size), tonumber(sum)
  if outstanding[id] ~= size then return string.format("answers %.0f/%d, which was not asked or was answered", id, size) end
  outstanding[id] = nil
  if #body - data + 1 ~= size then return string.format("%d bytes, expected %d", #body - data + 1, size) end
  local a = id % 9973
  local step, low, high = a % 23 + 1, 1, 0
  for i = 0, size - 1 do
    local byte = string.byte(body, data + i)
    if byte ~= 97 + (a + i * step + i * i % 251) % 26 then return string.format("byte %d of %.0f is %d", i, id, byte) end
    low = (low + byte) % 65521
    high = (high + low) % 65521
  end
  if high * 65536 + low ~= sum then return "checksum" end
  return nil
end

function response(status, headers, body)
  if answered >= limit then return end
  answered = answered + 1
  if status ~= 200 then statuses = statuses + 1 end
  local why = check(body)
  if why then
    wrong = wrong + 1
    reason = why
  end
  if answered >= limit then
    wrk.thread:stop()
    io.write("LIMIT\n") -- wrk itself sleeps on; stress_httpd.py wakes it when all threads are here
    io.flush()
  end
end

function done(summary, latency, requests)
  local checked, wrong, statuses, reason = 0, 0, 0, ""
  for _, thread in ipairs(threads) do
    checked = checked + thread:get("answered")
    wrong = wrong + thread:get("wrong")
    statuses = statuses + thread:get("statuses")
    if thread:get("reason") ~= "" then reason = thread:get("reason") end
  end
  local errors = summary.errors
  print(string.format(
    'JSON {"checked": %d, "wrong": %d, "not_200": %d, "reason": "%s", "requests": %d, "connect": %d, "read": %d, ' ..
    '"write": %d, "status": %d, "timeout": %d, "microseconds": %d, "latency_p99_us": %d}',
    checked, wrong, statuses, reason, summary.requests, errors.connect, errors.read, errors.write, errors.status,
    errors.timeout, summary.duration, latency:percentile(99)))
end
