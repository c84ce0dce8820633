//! `SSL_GET`
