-- Requests for wrk: METHOD, BODY (a file), COLLECTION (events, unless it says another) and
-- IDS (a file with an id a line) come from the environment. With ids, each request is for one
-- of them at random; a DELETE takes each once.
local method = os.getenv("METHOD") or "GET"
local collection = os.getenv("COLLECTION") or "events"
local ids, body = {}, nil
if os.getenv("IDS") then
  for id in io.lines(os.getenv("IDS")) do ids[#ids + 1] = id end
end
if os.getenv("BODY") then body = io.open(os.getenv("BODY")):read("*a") end
local headers = { ["Content-Type"] = "application/json" }

function request()
  local path = "/" .. collection
  if #ids > 0 then
    path = path .. "/" .. (method == "DELETE" and table.remove(ids) or ids[math.random(#ids)])
  end
  return wrk.format(method, path, headers, body)
end
