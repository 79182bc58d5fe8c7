//! Tokens of users against a real issuer: an HTTP server in this test that publishes its keys.

use crate::harness::{Gateway, World};
use axum::{Json, Router, routing::get};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Client;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use ring::{hmac, rsa};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use tokio::net::TcpListener;

/// Made for these tests alone.
const RSA_KEY: &str = include_str!("rsa-test-key.pk8.base64");

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Shared(Vec<u8>),
    Nobody,
}

impl Signer {
    fn rsa() -> Self {
        let der = STANDARD.decode(RSA_KEY.replace('\n', "")).unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap())
    }

    fn ec() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    fn ed() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
            Self::Shared(_) => "HS256",
            Self::Nobody => "none",
        }
    }

    /// As it is published.
    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
                    "n": encoded(public.n), "e": encoded(public.e)})
            }
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": encoded(x), "y": encoded(y)})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encoded(pair.public_key())})
            }
            Self::Shared(_) | Self::Nobody => panic!("not published"),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Nobody => Vec::new(),
        }
    }

    fn token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "typ": "JWT", "kid": kid});
        self.token_with(&header, claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encoded(header.to_string()),
            encoded(claims.to_string())
        );
        let signature = encoded(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program that is tested has the machine's clock"
)]
fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// An issuer whose keys can be changed.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(Vec::new()));
        let (published, discovery) = (
            Arc::clone(&keys),
            json!({"issuer": url, "jwks_uri": format!("{url}/keys")}),
        );
        let discover = move || async move { Json(discovery) };
        let publish = move || async move { Json(json!({"keys": *published.lock().unwrap()})) };
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(discover))
            .route("/realm/keys", get(publish));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, keys }
    }

    fn publish(&self, keys: Vec<Value>) {
        *self.keys.lock().unwrap() = keys;
    }

    fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.url, "aud": "kmrl-gateway", "sub": "4711", "name": "A. Reader",
            "iat": now, "nbf": now, "exp": now + 600, "roles": ["auditor"],
        })
    }
}

async fn status(gateway: &Gateway, token: &str) -> u16 {
    let url = format!("{}/api/v1/audit", gateway.base);
    let answer = Client::new()
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    answer.status().as_u16()
}

async fn world(issuer: &Issuer) -> World {
    World::with(&[
        ("KMRL_JWT_ISSUER", &issuer.url),
        ("KMRL_JWT_AUDIENCE", "kmrl-gateway"),
        ("KMRL_JWT_LEEWAY", "10"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_an_issuer_are_taken_and_forged_ones_are_not() {
    let issuer = Issuer::start().await;
    let (rsa, ec, ed) = (Signer::rsa(), Signer::ec(), Signer::ed());
    issuer.publish(vec![
        rsa.jwk("r"),
        ec.jwk("c"),
        ed.jwk("d"),
        json!({"kty": "new", "kid": "n"}),
    ]);
    let world = world(&issuer).await;
    let gateway = world.start();
    let claims = issuer.claims();
    for (signer, kid) in [(&rsa, "r"), (&ec, "c"), (&ed, "d")] {
        assert_eq!(
            status(&gateway, &signer.token(kid, &claims)).await,
            200,
            "{kid}"
        );
    }
    let public = |member: &str| {
        URL_SAFE_NO_PAD
            .decode(rsa.jwk("r")[member].as_str().unwrap())
            .unwrap()
    };
    let forged = [
        ("nobody's signature", Signer::Nobody.token("r", &claims)),
        ("a foreign key", Signer::ec().token("c", &claims)),
        ("another key's name", ec.token("r", &claims)),
        (
            "the public key as a shared secret",
            Signer::Shared(public("n")).token("r", &claims),
        ),
        ("the key set as a shared secret", {
            Signer::Shared(rsa.jwk("r").to_string().into_bytes()).token("r", &claims)
        }),
        (
            "an empty shared secret",
            Signer::Shared(Vec::new()).token("r", &claims),
        ),
        ("a key brought along", {
            let own = Signer::ec();
            own.token_with(&json!({"alg": "ES256", "jwk": own.jwk("x")}), &claims)
        }),
        ("an extension not known", {
            let header = json!({"alg": "RS256", "kid": "r", "crit": ["b64"], "b64": false});
            rsa.token_with(&header, &claims)
        }),
        ("the header of another algorithm", {
            rsa.token_with(&json!({"alg": "HS256", "kid": "r"}), &claims)
        }),
        ("a changed claim", {
            let good = rsa.token("r", &claims);
            let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
            let mut other = claims.clone();
            other["sub"] = json!("1");
            parts[1] = encoded(other.to_string());
            parts.join(".")
        }),
        (
            "no signature",
            rsa.token("r", &claims)
                .rsplit_once('.')
                .unwrap()
                .0
                .to_owned()
                + ".",
        ),
        (
            "none in capitals",
            Signer::Nobody.token_with(&json!({"alg": "NONE"}), &claims),
        ),
    ];
    for (what, token) in forged {
        assert_eq!(status(&gateway, &token).await, 401, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_have_to_be_right_within_the_leeway() {
    let issuer = Issuer::start().await;
    let rsa = Signer::rsa();
    issuer.publish(vec![rsa.jwk("r")]);
    let world = world(&issuer).await;
    let gateway = world.start();
    let now = now();
    let absent = Value::Null;
    for (claim, value, expected) in [
        ("exp", json!(now + 600), 200),
        ("exp", json!(now - 5), 200),
        ("exp", json!(now - 60), 401),
        ("exp", json!("never"), 401),
        ("exp", absent.clone(), 401),
        ("nbf", json!(now + 5), 200),
        ("nbf", json!(now + 60), 401),
        ("iss", json!("http://127.0.0.1/other"), 401),
        ("iss", absent.clone(), 401),
        ("aud", json!(["other", "kmrl-gateway"]), 200),
        ("aud", json!("other"), 401),
        ("aud", absent.clone(), 401),
        ("sub", absent.clone(), 401),
        ("sub", json!("a\nb"), 401),
        ("roles", json!(["reader"]), 403),
        ("roles", json!("offline_access auditor"), 200),
        ("roles", absent, 403),
    ] {
        let mut claims = issuer.claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value.clone();
        }
        let got = status(&gateway, &rsa.token("r", &claims)).await;
        assert_eq!(got, expected, "{claim} = {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_changes_its_keys() {
    let issuer = Issuer::start().await;
    let (old, new) = (Signer::ec(), Signer::ec());
    issuer.publish(vec![old.jwk("old")]);
    let world = world(&issuer).await;
    let gateway = world.start();
    let claims = issuer.claims();
    assert_eq!(status(&gateway, &old.token("old", &claims)).await, 200);
    issuer.publish(vec![new.jwk("new")]);
    // A name that is not known makes it look again, though not more often than every few seconds.
    let token = new.token("new", &claims);
    crate::support::eventually("the new key to be known", async || {
        (status(&gateway, &token).await == 200).then_some(())
    })
    .await;
    assert_eq!(status(&gateway, &old.token("old", &claims)).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_shared_secret_say_who_uploaded() {
    let secret = "a shared secret of thirty-two bytes or more";
    let world = World::with(&[("KMRL_JWT_SECRET", secret)]).await;
    let gateway = world.start();
    let now = now();
    let claims = json!({
        "sub": "4711", "name": "A. Officer", "exp": now + 600, "roles": ["officer"],
        "departments": ["safety"],
    });
    let token = Signer::Shared(secret.into()).token("", &claims);
    let upload = async |source: &str| {
        let part = reqwest::multipart::Part::bytes(b"words".to_vec()).file_name("a.txt");
        let form = reqwest::multipart::Form::new()
            .text("source", source.to_owned())
            .part("file", part);
        let url = format!("{}/api/v1/documents/upload", gateway.base);
        let request = Client::new().post(url).bearer_auth(&token).multipart(form);
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let (status_of_own, document) = upload("manual").await;
    assert_eq!(
        (status_of_own, &document["uploaded_by"]),
        (202, &json!("A. Officer"))
    );
    assert_eq!(upload("maximo").await.0, 403);
    let id = document["id"].as_str().unwrap();
    let events = gateway
        .json(&format!("/api/v1/events?document_id={id}"))
        .await;
    assert_eq!(events["events"][0]["metadata"]["actor"], "user:4711");
    let other = Signer::Shared(b"another secret of thirty-two bytes or more".to_vec());
    assert_eq!(status(&gateway, &other.token("", &claims)).await, 401);
    assert_eq!(
        status(&gateway, &Signer::Nobody.token("", &claims)).await,
        401
    );
}
