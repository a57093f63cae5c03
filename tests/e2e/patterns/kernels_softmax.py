import math

import torch
import torch.nn.functional as F

SHAPES = {"x": (2, 6, 16), "s": (6, 6), "q": (2, 4, 6, 16), "k": (2, 4, 6, 16), "v": (2, 4, 6, 16), "one": (2, 6, 16), "u": (2, 2, 6, 16), "z": (2, 2, 6, 16), "e": (2, 6, 16)}


# expect softmax
def soft_by_amax(x):
    e = torch.exp(x - torch.amax(x, dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True)


# expect softmax
def soft_by_max(x):
    e = (x - x.max(dim=-1, keepdim=True)[0]).exp()
    return e / torch.sum(e, -1, keepdim=True)


# expect softmax
def soft_by_max_values(x):
    e = torch.exp(x - x.max(1, keepdim=True).values)
    return e * (1.0 / e.sum(1, keepdim=True))


# expect softmax
def soft_plain(x):
    return torch.exp(x) / torch.exp(x).sum(dim=-1, keepdim=True)


# expect softmax
def soft_unsqueezed(x):
    e = torch.exp(x - x.amax(-1).unsqueeze(-1))
    return e / e.sum(-1).unsqueeze(-1)


# expect softmax
def soft_with_casts(x):
    h = x.bfloat16()
    e = torch.exp(h.float() - h.float().amax(-1, keepdim=True))
    return (e / e.sum(-1, keepdim=True)).to(h.dtype)


# expect softmax
def soft_as_torch_has_it(x):
    return F.softmax(x, dim=-1)


# expect softmax
def soft_of_what_another_axis_shifted(x):
    e = torch.exp(x - torch.amax(x, dim=-1, keepdim=True))
    return e / e.sum(dim=1, keepdim=True)


# expect
def soft_without_sum(x):
    return torch.exp(x - torch.amax(x, dim=-1, keepdim=True))


# expect
def soft_by_mean(x):
    e = torch.exp(x - torch.amax(x, dim=-1, keepdim=True))
    return e / e.mean(dim=-1, keepdim=True)


# expect
def soft_along_the_wrong_dimension(s):
    e = torch.exp(s - s.amax(-1, keepdim=True))
    return e / e.sum(-1)


# expect
def soft_of_two(x, one):
    return torch.exp(one) / torch.exp(x).sum(dim=-1, keepdim=True)


# expect log_softmax
def log_by_logsumexp(x):
    return x - torch.logsumexp(x, dim=-1, keepdim=True)


# expect log_softmax
def log_stable(x):
    z = x - x.max(-1, keepdim=True).values
    return z - z.exp().sum(-1, keepdim=True).log()


# expect log_softmax
def log_of_softmax(x):
    return torch.log(F.softmax(x, dim=-1))


# expect log_softmax
def log_plain(x):
    return x - torch.log(torch.sum(torch.exp(x), dim=-1, keepdim=True))


# expect log_softmax
def log_as_torch_has_it(x):
    return F.log_softmax(x, -1)


# expect
def log_added(x):
    return x + torch.logsumexp(x, dim=-1, keepdim=True)


# expect
def log_one_p(x):
    return x - torch.log1p(torch.sum(torch.exp(x), dim=-1, keepdim=True))


# expect attention
def attention_causal(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    mask = torch.triu(torch.ones(6, 6), diagonal=1).bool()
    scores = scores.masked_fill(mask, float("-inf"))
    return F.softmax(scores, dim=-1) @ v


# expect attention
def attention_scaled_queries(q, k, v):
    return torch.matmul(torch.softmax(torch.matmul(q * 0.25, k.transpose(2, 3)), dim=-1), v)


# expect attention
def attention_added_mask(q, k, v):
    mask = torch.full((6, 6), float("-inf")).triu(1)
    weights = torch.matmul(q, k.mT) * (16**-0.5) + mask
    weights = F.softmax(weights, dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(weights, v)


# expect attention
def attention_in_primitives(q, k, v):
    scores = q @ k.transpose(-2, -1) * 0.25
    e = torch.exp(scores - scores.amax(-1, keepdim=True))
    return (e / e.sum(-1, keepdim=True)) @ v


# expect attention
def attention_by_einsum(q, k, v):
    a = torch.einsum("bhqd,bhkd->bhqk", q, k) / 4.0
    return torch.einsum("bhqk,bhkd->bhqd", a.softmax(-1), v)


# expect attention
def attention_by_where(q, k, v):
    keep = torch.tril(torch.ones(6, 6, dtype=torch.bool))
    scores = torch.where(keep, q @ k.transpose(-1, -2) * 0.25, torch.tensor(-1e9))
    return scores.softmax(dim=-1) @ v


# expect attention
def attention_of_one_projection(x):
    q, k, v = x.view(2, 6, 2, 8).transpose(1, 2), x.view(2, 6, 2, 8).transpose(1, 2), x.view(2, 6, 2, 8).transpose(1, 2)
    return (q @ k.transpose(-2, -1) * 8**-0.5).softmax(-1) @ v


# expect attention (torch 2.0)
def attention_as_torch_has_it(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


# expect softmax
def attention_without_values(q, k):
    return F.softmax(q @ k.transpose(-2, -1) / 4.0, dim=-1)


# expect
def attention_without_softmax(q, k, v):
    return (q @ k.transpose(-2, -1) / 4.0) @ v

# expect attention
def attention_of_grouped_queries(q, u, z):
    k = u[:, :, None].expand(2, 2, 2, 6, 16).reshape(2, 4, 6, 16)
    v = z[:, :, None].expand(2, 2, 2, 6, 16).reshape(2, 4, 6, 16)
    a = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(16)
    m = torch.full((6, 6), torch.finfo(torch.float32).min)
    m = torch.triu(m, diagonal=1)[None, None]
    a = a + m
    a = F.softmax(a, dim=-1, dtype=torch.float32).to(q.dtype)
    a = F.dropout(a, p=0.0, training=False)
    return torch.matmul(a, v).transpose(1, 2).contiguous()

# expect attention
def attention_as_t5(q, k, v):
    s = torch.matmul(q, k.transpose(3, 2))
    b = torch.zeros(1, 4, 6, 6)
    s = s + b
    return torch.matmul(F.softmax(s.float(), dim=-1).type_as(s), v)

# expect attention
def attention_by_baddbmm(q, k, v):
    q, k, v = q.reshape(8, 6, 16), k.reshape(8, 6, 16), v.reshape(8, 6, 16)
    a = torch.baddbmm(torch.zeros(8, 6, 6), q, k.transpose(-1, -2), beta=0, alpha=0.25)
    return torch.bmm(a.softmax(-1), v)

# expect attention
def attention_by_where_of_a_number(q, k, v):
    a = q @ k.transpose(-2, -1) * 0.25
    i = torch.arange(6)
    mask = i[:, None] >= i[None]
    a = torch.where(mask, a, torch.finfo(a.dtype).min)
    return a.softmax(-1) @ v

# expect attention
def attention_as_gpt1(q, k, v):
    m = torch.tril(torch.ones(6, 6))
    a = q @ k.transpose(-2, -1) * 0.25
    a = a * m - 1e10 * (1 - m)
    return a.softmax(-1) @ v

# expect attention
def attention_capped(q, k, v):
    a = q @ k.transpose(-2, -1) * 0.25
    a = torch.tanh(a / 50.0) * 50.0
    return a.softmax(-1) @ v

# expect attention
def attention_without_heads(e):
    a = torch.softmax(torch.bmm(e, e.transpose(1, 2)) / 4.0, dim=2)
    return torch.bmm(a, e)
