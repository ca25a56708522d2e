<?php
// Sends one letter with everything in it, DKIM-signed, as an application in PHP does. Settings: JSON on standard input.
require "/usr/share/php/libphp-phpmailer/autoload.php";

$given = json_decode(stream_get_contents(STDIN), true);
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = $given["host"];
$mail->Port = $given["port"];
$mail->SMTPAuth = true;
$mail->SMTPSecure = "tls";
$mail->SMTPOptions = ["ssl" => ["cafile" => $given["authority"]]];
$mail->Username = $given["delegate"];
$mail->Password = $given["secret"];
$mail->CharSet = $given["charset"];
$mail->Encoding = $given["encoding"];
$in = fn($text) => mb_charset($text, $given["charset"]);
$mail->setFrom($given["author"], $in($given["name"]), false);
$mail->Sender = $given["author"];
foreach ($given["recipients"] as $number => $address) {
    $mail->addAddress($address, $in("Leser $number \u{d6}"));
}
$mail->Subject = $in($given["subject"]);
$mail->isHTML(true);
$mail->Body = $in("<p>{$given['subject']}</p><img src=\"cid:logo\">\n.\n");
$mail->AltBody = $in($given["text"]);
$mail->Ical = $given["charset"] === "utf-8" ? $given["invitation"] : "";
$octets = base64_decode($given["attachment"]);
$mail->addStringEmbeddedImage($octets, "logo", "logo.png", "base64", "image/png");
$mail->addStringAttachment($octets, $in("\u{dc}bersicht November.pdf"));
$mail->addCustomHeader("List-Unsubscribe", "<https://example.com/u>");
$mail->DKIM_domain = "example.com";
$mail->DKIM_selector = "app";
$mail->DKIM_private_string = $given["key"];
$mail->send();
echo json_encode(["built" => base64_encode($mail->getSentMIMEMessage())]);

function mb_charset(string $text, string $charset): string
{
    return $charset === "utf-8" ? $text : iconv("utf-8", "$charset//TRANSLIT", $text);
}
