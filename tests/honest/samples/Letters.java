import jakarta.activation.DataHandler;
import jakarta.mail.Message;
import jakarta.mail.Session;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeBodyPart;
import jakarta.mail.internet.MimeMessage;
import jakarta.mail.internet.MimeMultipart;
import jakarta.mail.util.ByteArrayDataSource;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Date;
import java.util.Properties;

/**
 * Writes what Jakarta Mail makes of a few letters:
 * java -cp jakarta-mail.jar:jakarta-activation.jar Letters.java FOLDER
 */
public class Letters {
    static final String TEXT = "Gr\u00fc\u00dfe aus Z\u00fcrich \u2709\r\n.\r\n" + "x".repeat(998) + "\r\nend\r\n";

    static MimeMessage letter(Session session) throws Exception {
        MimeMessage letter = new MimeMessage(session);
        letter.setFrom(new InternetAddress("billing@example.com", "Billing, Z\u00fcrich", "UTF-8"));
        letter.setRecipients(Message.RecipientType.TO, InternetAddress.parse("\"Smith, Ann\" <ann@example.net>, bob@example.net"));
        letter.setSubject("Ihre Rechnung f\u00fcr November \u2013 Z\u00fcrich, Gen\u00e8ve und anderswo, wo man lange Betreffzeilen mag", "UTF-8");
        letter.setSentDate(new Date(1795258800000L));
        return letter;
    }

    static void write(MimeMessage letter, Path path) throws Exception {
        letter.saveChanges();
        try (OutputStream out = Files.newOutputStream(path)) {
            letter.writeTo(out, new String[] {"Bcc"});
        }
    }

    static MimeBodyPart part(Object content, String type) throws Exception {
        MimeBodyPart part = new MimeBodyPart();
        part.setContent(content, type);
        return part;
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Session session = Session.getInstance(new Properties());

        MimeMessage plain = letter(session);
        plain.setText(TEXT, "UTF-8");
        write(plain, folder.resolve("jakarta-plain.eml"));

        MimeMessage eight = letter(session);
        eight.setText("Gr\u00fc\u00dfe\r\n", "ISO-8859-1");
        eight.setHeader("Content-Transfer-Encoding", "8bit");
        write(eight, folder.resolve("jakarta-8bit.eml"));

        MimeMessage rich = letter(session);
        MimeMultipart alternative = new MimeMultipart("alternative", part(TEXT, "text/plain; charset=UTF-8"), part("<p>Gr\u00fc\u00dfe</p><img src=\"cid:logo\">", "text/html; charset=UTF-8"));
        MimeBodyPart image = new MimeBodyPart();
        byte[] octets = new byte[3000];
        for (int at = 0; at < octets.length; at++) octets[at] = (byte) (at * 7);
        image.setDataHandler(new DataHandler(new ByteArrayDataSource(octets, "image/png")));
        image.setContentID("<logo>");
        image.setDisposition("inline");
        MimeBodyPart body = new MimeBodyPart();
        body.setContent(alternative);
        MimeBodyPart report = new MimeBodyPart();
        report.setDataHandler(new DataHandler(new ByteArrayDataSource(octets, "application/pdf")));
        report.setFileName("\u00dcbersicht November.pdf");
        MimeBodyPart related = new MimeBodyPart();
        related.setContent(new MimeMultipart("related", body, image));
        rich.setContent(new MimeMultipart("mixed", related, report));
        write(rich, folder.resolve("jakarta-mixed.eml"));
    }
}
