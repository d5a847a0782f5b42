use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::{Future, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::{HeaderMap, Uri};

use crate::broker::SessionId;
use crate::message::Message;

/// The rules of an application: who a client is, and what it may do.
///
/// A function from an identity and an action to a `bool` implements it, for clients that are all anonymous:
///
/// ```
/// use everwire_server::Everwire;
/// use everwire_server::channels::{Action, Identity};
///
/// let everwire = Everwire::builder()
///     .authorize(|_: &Identity, action: Action<'_>| matches!(action, Action::Subscribe(_) | Action::Presence("lobby")))
///     .build();
/// # drop(everwire);
/// ```
///
/// ```
/// use everwire_server::channels::{Action, Authentication, Authorize, Denied, Identity};
///
/// struct Rules;
///
/// impl Authorize for Rules {
///     async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
///         let token = request.credentials().and_then(|credentials| credentials.as_text());
///         match token {
///             // A real application looks the token up, or checks its signature.
///             Some("secret of Ada") => Ok(Identity::user("ada").with_presence(r#"{"name":"Ada"}"#)),
///             _ => Err(Denied::new("log in first")),
///         }
///     }
///
///     fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
///         match action {
///             Action::Subscribe(channel) | Action::Presence(channel) => !channel.starts_with("admin/"),
///             Action::Publish(channel) => channel == "chat",
///             Action::Request(_) => identity.user_name() == Some("ada"),
///             _ => false,
///         }
///     }
/// }
/// ```
pub trait Authorize: Send + Sync + 'static {
    /// Authenticates a client by its handshake and the credentials of its `hello`. It is called for each connection, so that a client
    /// whose credentials have expired does not resume. The default is an anonymous client.
    ///
    /// # Errors
    /// The connection ends with `unauthorized`, and the client connects again with other credentials.
    fn authenticate(&self, request: Authentication) -> impl Future<Output = Result<Identity, Denied>> + Send {
        drop(request);
        ready(Ok(Identity::anonymous()))
    }

    /// Whether a client may do something. It is called for each subscription, publish and request, and must return at once.
    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool;

    /// Checks what a client publishes, once [`allows`](Self::allows) has allowed it, and may replace its payload before it is stored, for
    /// example to add the real author. It must return at once. By default, payloads stay opaque.
    ///
    /// [`ChannelOptions::message_bytes`](super::ChannelOptions::message_bytes) limits what the client sends, and not what replaces it.
    ///
    /// ```
    /// use everwire_server::channels::{Action, Authorize, ClientPublish, Denied, Identity};
    ///
    /// struct Rules;
    ///
    /// impl Authorize for Rules {
    ///     fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
    ///         !matches!(action, Action::Publish(_)) || identity.user_name().is_some()
    ///     }
    ///
    ///     fn check_publish(&self, identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied> {
    ///         let text = publish.payload.as_ref().and_then(|payload| payload.as_text());
    ///         let text = text.ok_or_else(|| Denied::new("publish a text"))?;
    ///         let author = identity.user_name().unwrap_or_default();
    ///         publish.payload = Some(serde_json::json!({ "author": author, "text": text }).to_string().into());
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The publish is refused with `denied` and the reason.
    fn check_publish(&self, identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied> {
        let _ = (identity, publish);
        Ok(())
    }
}

impl<F> Authorize for F
where
    F: Fn(&Identity, Action<'_>) -> bool + Send + Sync + 'static,
{
    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
        self(identity, action)
    }
}

/// Allows every client everything: for experiments.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Authorize for AllowAll {
    fn allows(&self, _: &Identity, _: Action<'_>) -> bool {
        true
    }
}

/// What a client is about to do, with the name of the channel or the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Subscribe to a channel.
    Subscribe(&'a str),
    /// Publish to a channel.
    Publish(&'a str),
    /// Be a member of a channel, and see the others.
    Presence(&'a str),
    /// Call a request handler.
    Request(&'a str),
}

/// A publish of a client, before it is stored.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClientPublish<'a> {
    /// The client's session.
    pub session: &'a SessionId,
    /// The channel.
    pub channel: &'a str,
    /// The key whose latest value the message is.
    pub key: Option<&'a str>,
    /// The message. `None` differs from an empty one, and removes the key.
    pub payload: Option<Message>,
}

/// Who a client is.
#[derive(Clone, Default)]
pub struct Identity {
    user: Option<Arc<str>>,
    presence: Option<Message>,
    data: Option<Arc<dyn Any + Send + Sync>>,
}

impl Identity {
    /// A client without a name.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A user. Sessions of the same user may cancel each other's requests, and a session is resumed only by its user.
    pub fn user(name: impl Into<Arc<str>>) -> Self {
        Self { user: Some(name.into()), ..Self::default() }
    }

    /// Sets what other members of a channel see of this client. It is opaque to the server, most often JSON.
    pub fn with_presence(mut self, shown: impl Into<Message>) -> Self {
        self.presence = Some(shown.into());
        self
    }

    /// Keeps data of the application, such as roles, for [`Authorize::allows`] and request handlers.
    pub fn with_data(mut self, data: impl Any + Send + Sync) -> Self {
        self.data = Some(Arc::new(data));
        self
    }

    /// The name of the user.
    pub fn user_name(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(super) fn shared_user_name(&self) -> Option<Arc<str>> {
        self.user.clone()
    }

    /// The data of the application, if it is of this type.
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.data.as_deref()?.downcast_ref()
    }

    /// What other members see of it.
    pub fn presence(&self) -> Option<&Message> {
        self.presence.as_ref()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a client is authenticated by.
#[derive(Clone, Debug)]
pub struct Authentication {
    head: Arc<RequestHead>,
    credentials: Option<Message>,
}

/// The request that became a connection.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) headers: HeaderMap,
    pub(crate) uri: Uri,
    pub(crate) address: Option<IpAddr>,
}

impl Authentication {
    pub(super) fn new(head: Arc<RequestHead>, credentials: Option<Message>) -> Self {
        Self { head, credentials }
    }

    /// The headers of the handshake, with its cookies.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The requested URI, with its query.
    pub fn uri(&self) -> &Uri {
        &self.head.uri
    }

    /// The address of the peer: see [`peer_address`](crate::peer_address).
    pub fn peer_address(&self) -> Option<IpAddr> {
        self.head.address
    }

    /// The payload of `hello`.
    pub fn credentials(&self) -> Option<&Message> {
        self.credentials.as_ref()
    }
}

/// Why a client or its publish is refused: a text that it may log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(Cow<'static, str>);

impl Denied {
    /// A refusal with a reason for people.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

/// The object-safe form of [`Authorize`].
pub(super) trait DynAuthorize: Send + Sync {
    fn authenticate<'a>(
        &'a self,
        request: Authentication,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>>;

    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool;

    fn check_publish(&self, identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied>;
}

impl<A: Authorize> DynAuthorize for A {
    fn authenticate<'a>(
        &'a self,
        request: Authentication,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>> {
        Box::pin(Authorize::authenticate(self, request))
    }

    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
        Authorize::allows(self, identity, action)
    }

    fn check_publish(&self, identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied> {
        Authorize::check_publish(self, identity, publish)
    }
}

/// Refuses every client of an application that has set no rules, and logs why.
pub(super) struct DenyAll;

impl Authorize for DenyAll {
    async fn authenticate(&self, _: Authentication) -> Result<Identity, Denied> {
        tracing::error!("no client can use channels: the application has no rules; set them by `Builder::authorize`");
        Err(Denied::new("the server has no rules for channels; its application sets them by `Builder::authorize`"))
    }

    fn allows(&self, _: &Identity, _: Action<'_>) -> bool {
        false
    }
}
