"""The second walk: what waits in the spool is judged again and sent, as soon and as fast as SES bears."""
