# Sends one letter with everything in it, as an application in Ruby does. Settings: JSON on standard input.
require "base64"
require "json"
require "mail"

given = JSON.parse($stdin.read)
octets = Base64.decode64(given["attachment"])
letter = Mail.new(charset: "UTF-8") do
  from %("#{given["name"]}" <#{given["author"]}>)
  to given["recipients"]
  subject given["subject"]
  date Time.at(1_795_258_800)
  message_id "<1@app.example.com>"
  text_part { body given["text"] }
  html_part do
    content_type "text/html; charset=UTF-8"
    body "<p>#{given["subject"]}</p>\n.\n"
  end
  add_file filename: "\u00dcbersicht November.pdf", content: octets
end
letter.smtp_envelope_from = given["author"]
letter.delivery_method(
  :smtp,
  address: given["host"], port: given["port"], user_name: given["delegate"], password: given["secret"],
  authentication: :plain, enable_starttls: true, ca_file: given["authority"], openssl_verify_mode: "peer",
)
letter.ready_to_send!
built = letter.encoded
letter.deliver!
puts JSON.generate(built: Base64.strict_encode64(built))
