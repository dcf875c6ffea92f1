// Made by "npm run lua" of the files in lua/. Not to be edited.

const counts = `function F.cS()
local q={now=u,todo={},groups={},none=0}
q.todo[1]={'log','',0}
for M,a in pairs(F.c())do
q.groups[M]={ended=0,ready=0,delayed=0,blocked=0,parked=0}
for _,v in ipairs({'reap','ends','join'})do
q.todo[#q.todo+1]={v,M,0}
end
end
return q
end
function F.bf(k,i,T,S)
local D=g('ZRANGE',k,i,i+T - 1,'WITHSCORES')
local G={}
for f=1,#D,2 do
if tonumber(D[f+1])>S then
return G
end
G[#G+1]=D[f]
end
return G,#G==T and i+T or nil
end
local cG={}
function cG.log(q,_,i)
if not e.reap or e.reap>q.now then
return nil,0
end
local G,next=F.bf(m .. 'expiry',i,64,q.now)
local K=0
for _,t in ipairs(G)do
local l=F.q(tonumber(t))
if l then
local az,av=F.af(l.first,l.last),F.aj(l.first,l.last)
local dz=l.columns and l.columns.expires or{}
K=K+l.count+16
for f=1,l.count do
local c=l.first+f - 1
local bp=dz[f]
if az and az[c] then
bp=az[c].expires
end
if bp and bp<=q.now and not(av and av[c])then
q.none=q.none - 1
for M,a in pairs(aw)do
if c>=a.row.cursor and q.groups[M] then
q.groups[M].ready=q.groups[M].ready - 1
end
end
end
end
end
end
return next,K
end
function cG.reap(q,a,i)
local Z=a.row.lanes
if a.row.waiting+a.row.blocked+(a.row.parked or 0)==0 and not(Z and Z.flows>0)then
return nil,0
end
local G,next=F.bf(F.a(a,'reap'),i,500,q.now)
local aG=q.groups[a.name]
if #G>0 then
local aN=g('HMGET',F.a(a,'side'),unpack(G))
for f=1,#G do
local j=aN[f] and cmsgpack.unpack(aN[f])
local cW=j and j.blocked or not j and tonumber(G[f])<281474976710656
local aY=cW and 'blocked' or 'ready'
if j and not j.blocked then
aY=j.parked and 'parked' or j.at>q.now and 'delayed' or 'ready'
end
aG[aY]=aG[aY] - 1
end
end
return next,#G
end
function cG.ends(q,a,i)
if a.row.leased==0 then
return nil,0
end
local G,next=F.bf(F.a(a,'ends'),i,500,q.now)
local aG=q.groups[a.name]
for _,t in ipairs(G)do
local p=string.match(t,'^%d+$')and{first=0,last=0}or F.aa(t)
aG.ended=aG.ended+p.last - p.first+1
end
return next,#G
end
function cG.join(q,a,i)
local B=a.row.join
if not B then
return nil,0
end
if i>=B.bound - 1 then
F.ao(B)
end
B.from=math.max(B.from,i)
local x,as=F.av(a,500)
for _,b in ipairs(x)do
if not b.expires or b.expires>q.now then
q.groups[a.name].ready=q.groups[a.name].ready+1
end
end
if as<B.bound or B.lanes then
return as - 1,#x
end
return nil,#x
end
function F.ck(q,T)
while #q.todo>0 do
if T<=0 then
return false
end
local al=q.todo[1]
local v,M=al[1],al[2]
local a=v=='log' or q.groups[M] and aw[M]
local next,K
if a then
next,K=cG[v](q,a,al[3])
T=T - K
end
if next then
al[3]=next
else
table.remove(q.todo,1)
end
end
return true
end
function F.bS(S)
if not e.timer or e.timer>S then
return 0,0
end
local Q=g('ZCOUNT',m .. 'timers','-inf',S)
return Q,g('ZCOUNT',m .. 'lapse','-inf',S)
end
function F.dB(bj,S)
local Q=g('ZCOUNT',m .. 'timers',string.format('(%.0f',bj.at),S)
local bY=0
for _,t in ipairs(g('ZRANGEBYSCORE',m .. 'lapse','-inf',S,'LIMIT',0,2000))do
local n=tonumber(g('ZSCORE',m .. 'timers',t))
bY=bY+(n and n>bj.at and 1 or 0)
end
return Q,bY
end
function F.bR(q,a)
local d,aG,S=a.row,q.groups[a.name],q.now
local df,bY=F.bS(S)
local cZ=e.delayed - df
if d.since and df>0 then
df,bY=F.dB(d.since,S)
end
local Q=d.waiting>0 and g('ZCOUNT',F.a(a,'due'),'-inf',S)or 0
local bu,bd=e.tail - d.cursor - F.bQ(d.cursor),aG.ended
local Z=d.lanes
if Z and Z.flows>0 then
Q=Q+Z.again+g('ZCOUNT',F.a(a,'rests'),'-inf',S)
bu=bu+Z.ahead
bd=bd+Z.lost+g('ZCOUNT',F.a(a,'lends'),'-inf',S)
end
return bu+Q+df - bY+bd+aG.ready,
d.leased - bd,
cZ+d.waiting - Q+aG.delayed,
d.blocked+aG.blocked,
(d.parked or 0)+aG.parked
end
function F.aH(q)
local T=0
for M in pairs(q.groups)do
local aW,bq,cg,aD,bE=F.bR(q,aw[M])
T=math.max(T,aW+bq+cg+aD+bE)
end
if e.groups==0 then
local A=F.K()
local _,bY=F.bS(q.now)
T=e.tail -(A and A.first or e.tail)- F.bQ(0)+e.delayed - bY+q.none
if e.early then
T=T+e.early - g('ZCOUNT',m .. 'earlyreap','-inf',q.now)
end
end
return T
end
function F.dC(enough)
if not enough then
return 0
end
local q=F.cS()
local x=F.aH(q)
if x>enough then
local dm={}
for _,al in ipairs(q.todo)do
if al[1]~='ends' then
dm[#dm+1]=al
end
end
q.todo=dm
F.ck(q,10000)
x=F.aH(q)
end
return x
end
function F.bP()
local A=F.K()
local aa=e.later+(e.earlyBytes or 0)+(A and e.bytes - A.bytes or 0)
for _,a in pairs(F.c())do
aa=aa+a.row.outside
end
return aa
end
`

const drop = `function F.dD(s,b)
local t=F.b(s)
g('ZREM',m .. 'timers',t)
g('HDEL',m .. 'delayed',t)
if b.expires then
g('ZREM',m .. 'lapse',t)
end
e.delayed=e.delayed - 1
e.later=e.later - #b.record
if e.delayed==0 then
e.timer=nil
end
ac=true
end
function F.bW(w,y)
if y.number then
local b=F.A(y.number)
if not b then
return false
end
F.dD(y.number,b)
g('HDEL',m .. 'ids',w)
g('ZREM',m .. 'past',w)
return true
end
local c=y.seq
local bc=e.early and e.groups==0 and F.J(c)
if bc then
F.bX(bc)
end
local eu=bc or e.groups==0 and F.aW(c)
dD=false
for _,a in pairs(F.c())do
local i=F.t(a,c)
if i then
F.bk(a,i,F.ba(a,i,c))
eu=true
end
end
dD=true
for k in pairs(e.ghosts or{})do
g('ZREMRANGEBYSCORE',m .. k,c,c)
end
if not eu then
return false
end
if F.q(c)then
F.cz(c)
end
local d=g('HGET',m .. 'ids',w)
if d and F.G(d).seq==c then
g('HDEL',m .. 'ids',w)
g('ZREM',m .. 'past',w)
end
return true
end
function F.eg()
if e.gone==0 then
return
end
for _,a in pairs(F.c())do
local d=a.row
for _=1,16 do
local l=d.cursor<e.tail and F.q(d.cursor)
if
not l
or g('ZCOUNT',m .. 'gone',d.cursor,l.last)<l.last - d.cursor+1
then
break
end
d.cursor=l.last+1
d.passed=l.bytes+F.bp(l,1,l.count)
a.changed=true
end
end
if e.groups==0 then
for _=1,16 do
local l=F.K()
if not l or g('ZCOUNT',m .. 'gone',l.first,l.last)<l.count then
break
end
F.ab(l.last+1,l.count)
end
end
end
`

const empty = `F.bB={'log','amend','gone','expiry','reaps','timers','delayed','lapse','early','earlyreap'}
F.di={'state','ids','olds','past','holds','places','over'}
function F.bv(kinds)
for _,v in ipairs(kinds)do
g('UNLINK',m .. v)
end
end
function F.cO()
local cY,dh=pcall(function()
F.j()
F.c()
end)
if not cY then
local ed=type(dh)=='table' and dh.err or dh
local ep=string.match(ed,'^%-?(%u%u+) ')
if ep and ep~='WRONGTYPE' then
error(dh)
end
end
return cY
end
function F.ce()
F.bv(F.bB)
for k in pairs(e.ghosts or{})do
g('UNLINK',m .. k)
end
for _,bv in ipairs({'delayed','later','amended','gone','reaps','joining','late'})do
e[bv]=0
end
for _,bv in ipairs({'timer','behind','ghosts','untidy','early','earlyBytes'})do
e[bv]=nil
end
ac=true
for v,type in pairs({ids='hash',olds='hash',past='zset'})do
if g('TYPE',m .. v).ok~=type then
g('UNLINK',m .. v)
end
end
F.bT()
end
function F.cg(n)
if #ARGV<n then
return 2
end
for f=n,#ARGV do
g('UNLINK',m .. ARGV[f])
end
redis.pcall('PUBLISH',m .. 'changed','wake')
return 0
end
`

const expire = `function F.dH(b)
for _,a in pairs(F.c())do
if b.seq>=a.row.cursor then
if a.row.parksNext and b.key then
F.ar(a,b)
end
F.R(a,b,0,'expired',nil,a.row.deadFor)
end
end
F.cz(b.seq)
end
function F.dI(t,T)
local I=tonumber(t)
local l=F.q(I)
local dq,next=0,nil
if l and l.last==I then
local az=F.af(l.first,I)
local av=F.aj(l.first,I)
local dz=l.columns and l.columns.expires or{}
for f=1,l.count do
local c=l.first+f - 1
local bm=az and az[c]
local bp
if bm then
bp=bm.expires
else
bp=dz[f]
end
if bp and not(av and av[c])then
if bp<=u and dq<T then
dq=dq+1
F.dH(bm or F.W(l,f))
else
next=next and math.min(next,bp)or bp
end
end
end
end
if next then
g('ZADD',m .. 'expiry',next,t)
else
g('ZREM',m .. 'expiry',t)
e.reaps=e.reaps - g('ZREM',m .. 'reaps',t)
end
return dq+(l and math.ceil(l.count/32)or 1)
end
function F.et(a,T)
if a.row.dead==0 then
return 0
end
local G=g('ZRANGEBYSCORE',F.a(a,'fade'),'-inf',u,'LIMIT',0,T)
for _,t in ipairs(G)do
local _,d=F.x(a,tonumber(t))
if d then
F.ca(a,d)
else
g('ZREM',F.a(a,'fade'),t)
end
end
return #G
end
function F.T(k,bW)
local S=tonumber(g('ZRANGE',k,0,0,'WITHSCORES')[2])
return S and bW and math.min(S,bW)or S or bW
end
function F.es(aB)
if not e.reap or e.reap>u then
return 0
end
local aj=256
for _,t in ipairs(g('ZRANGEBYSCORE',m .. 'expiry','-inf',u,'LIMIT',0,256))do
if aj>0 then
aj=aj - F.dI(t,aj)
end
end
local bW
local eb,T=0,math.max(1000,2*aB)
for _,a in pairs(F.c())do
local Z=a.row.lanes
if a.row.waiting+a.row.blocked+(a.row.parked or 0)>0 or Z and Z.flows>0 then
local G=aj>0
and g('ZRANGEBYSCORE',F.a(a,'reap'),'-inf',u,'LIMIT',0,aj)
or{}
for _,t in ipairs(G)do
local c=tonumber(t)
local i,b=F.t(a,c),F.r(a,c)
if not i or not b then
F.d('a message')
end
local j=i.side or{}
if a.row.parksNext and b.key then
F.ar(a,b)
end
F.bk(a,i,b)
if j.lease then
a.row.failed=a.row.failed+1
end
local bI=j.parked and j.parked.reason or j.error
F.R(a,b,j.attempt or 0,'expired',bI,a.row.deadFor)
end
aj=aj - #G
end
if aj>0 then
aj=aj - F.et(a,aj)
end
bW=F.T(F.a(a,'fade'),F.T(F.a(a,'reap'),bW))
if a.row.kept then
eb=eb+F.ev(a,math.max(1,T - eb))
bW=F.T(F.a(a,'until'),bW)
end
end
local cb=math.min(1000,g('ZCOUNT',m .. 'past','-inf',u))
if cb>0 then
g('ZREMRANGEBYRANK',m .. 'past',0,cb - 1)
end
e.reap=F.T(m .. 'past',F.T(m .. 'expiry',bW))
ac=true
return 2*(256 - aj)
end
`

const find = `function F.dO(s,w)
local l=F.q(s)
return l and F.cn(l,s - l.first+1)==w
end
function F.bV(w)
local et=#w==36 and string.match(w,'^%x%x%x%x%x%x%x%x$',29)
local bz=et and tonumber(et,16)
if not bz then
return nil
end
local bB=bz % 2
local eO=(bB==0 and e.tail or e.number)- 1
local s=eO -(eO -(bz - bB)/2)% 2147483648
return s>=1 and s,bB
end
function F.bn(w)
local s,bB=F.bV(w)
return s and s+bB*281474976710656
end
function F.A(s)
local d=g('HGET',m .. 'delayed',F.b(s))
return d and cmsgpack.unpack(d)
end
function F.ci(w)
local s,bB=F.bV(w)
if not s then
return nil
end
if bB==1 then
local b=F.A(s)
if b then
return b.id==w and{number=s}or nil
end
s=281474976710656+s
local bc=e.early and F.J(s)
if bc and bc.id==w then
return{seq=s}
end
end
if bB==0 and F.dO(s,w)then
return{seq=s}
end
for _,a in pairs(F.c())do
local k=F.aw(a,s)or F.a(a,'held')
local b=F.M(k,s)
if b and b.id==w then
return{seq=s}
end
end
end
function F.B(w)
local d=g('HGET',m .. 'ids',w)
if d then
return(F.G(d))
end
return F.ci(w)
end
`

const group = `function F.an(aC,bo,bG)
return{
token=aC,
cursor=bo,
passed=bG,
floor=bo,
trimmed=bo,
cleared=bG,
leased=0,
out=0,
waiting=0,
blocked=0,
outside=0,
dead=0,
acked=0,
failed=0,
latest=0,
}
end
F.db={
'leases','ends','side','due','parked','named','reap','heads','chain','stops','dead','fade','letters',
'results','until','kept','progress','line','again','rests','lends','flows','lanes','ready','wake',
}
F.dr={'held','handed'}
function F.dS(k)
if e.joining>0 then
for _,a in pairs(F.c())do
for _,al in ipairs(a.row.join and a.row.join.keys or{})do
if al==k then
return true
end
end
end
end
return false
end
function F.bi(k)
if F.dS(k)then
e.ghosts=e.ghosts or{}
e.ghosts[k]=true
else
g('UNLINK',m .. k)
if e.ghosts then
e.ghosts[k]=nil
end
end
ac=true
end
function F.cc(a)
a.row.join=nil
a.changed=true
e.joining=e.joining - 1
F.bi('handed:' .. a.row.token)
for k in pairs(e.ghosts or{})do
F.bi(k)
end
end
function F.bw(a)
for _,v in ipairs(F.db)do
g('UNLINK',F.a(a,v))
end
F.g(e,'kept',-(a.row.kept or 0))
F.g(e,'keepers',-(a.row.keepers or 0))
if a.row.since then
e.late=e.late - 1
end
if a.row.join then
F.cc(a)
end
for _,v in ipairs(F.dr)do
F.bi(v .. ':' .. a.row.token)
end
end
function F.ef(B,k)
local ad={}
local I=B.lanes or B.bound
for _,aH in ipairs(B.parts and B.parts[k] or{{from=0,to=I,redrives=B.redrives}})do
local o,E=math.max(aH.from,B.from),math.min(aH.to,I)
if o+1<E then
ad[#ad+1]={from=o,to=E,redrives=math.min(aH.redrives,B.redrives)}
end
end
return ad
end
function F.dz(ad,aH)
for f=#ad,1,-1 do
local ar=ad[f]
if ar.from<=aH.from and ar.to>=aH.to and ar.redrives>=aH.redrives then
return
end
if aH.from<=ar.from and aH.to>=ar.to and aH.redrives>=ar.redrives then
table.remove(ad,f)
end
end
ad[#ad+1]=aH
end
function F.dT(aC,as)
local cD,ck,ad={'handed:' .. aC},{},{}
local function bA(k)
local cX=not ck[k]
ck[k]=true
if
cX
and(
g('ZCOUNT',m .. k,'-inf',string.format('(%.0f',as))>0
or e.laned and g('ZCOUNT',m .. k,string.format('%.0f',281474976710656),'+inf')>0
)
then
cD[#cD+1]=k
return true
end
return false
end
if e.early then
bA('early')
end
for _,a in pairs(F.c())do
bA('held:' .. a.row.token)
end
for _,a in pairs(aw)do
local B=a.row.join
for _,k in ipairs(B and B.keys or{})do
if ad[k] or bA(k)then
ad[k]=ad[k] or{}
for _,aH in ipairs(F.ef(B,k))do
F.dz(ad[k],aH)
end
end
end
end
local Z=e.laned and 281474976710656+e.number or nil
return #cD>1 and{from=0,bound=as,at=u,redrives=e.redrives or 0,keys=cD,parts=ad,lanes=Z}
or nil
end
function F.aV(M,aC,o)
local A=F.K()
local bo=A and A.first or e.tail
local d=F.an(aC,bo,A and A.bytes or e.bytes)
if e.groups>0 then
if o=='latest' then
d=F.an(aC,e.tail,e.bytes)
if F.s()then
d.since={at=u,number=e.number}
end
elseif bo<e.tail then
d=F.an(aC,math.max(bo,F.am()),d.passed)
end
end
if e.early or e.groups>0 and o~='latest' then
d.join=F.dT(aC,d.cursor)
end
return{name=M,row=d,changed=false}
end
function F.cD(n)
local q=tonumber(ARGV[n])
local z={}
for f=1,q do
z[f]=ARGV[n+3*f - 2]
end
local a=F.j(unpack(z))
for f=1,q do
a=aw[z[f]]
if not a then
a=F.aV(z[f],ARGV[n+3*f - 1],ARGV[n+3*f])
aw[z[f]]=a
a.changed=true
a.row.born=e.holds and bS or nil
if e.early and e.groups==0 then
e.ghosts=e.ghosts or{}
e.ghosts.early=true
e.early,e.earlyBytes=nil,nil
g('UNLINK',m .. 'earlyreap')
end
e.groups=e.groups+1
e.joining=e.joining+(a.row.join and 1 or 0)
e.late=e.late+(a.row.since and 1 or 0)
ac=true
end
end
return a,n+3*q+1
end
function F.av(a,T)
local B=a.row.join
local dv,R={},{}
local as=B.bound
for _,k in ipairs(B.keys)do
local o,ao,X=B.from,0,0
while ao<T do
local bP=ao>0 and math.max(1,X/ao)or 4194304/16
local bO=math.min(T - ao,math.ceil((4194304 - X)/bP))
if bO<=0 then
break
end
local D=g('ZRANGEBYSCORE',m .. k,string.format('(%.0f',o),string.format('(%.0f',as),'LIMIT',0,bO)
for f=1,#D do
local b=cmsgpack.unpack(D[f])
if not F.D(b.seq)or b.seq<=o then
F.d('a message')
end
o=b.seq
X=X+#D[f]
if not dv[o] and F.cq(B,k,b)then
dv[o]=b
R[#R+1]=o
end
end
ao=ao+#D
if #D<bO then
break
end
end
if ao>=T or X>=4194304 then
as=math.min(as,o+1)
end
end
table.sort(R)
local x={}
for f=1,#R do
if R[f]<as then
x[#x+1]=dv[R[f]]
end
end
return x,as
end
function F.ao(B)
if not B.lanes then
return false
end
B.from,B.bound,B.lanes=281474976710656 - 1,B.lanes,nil
return true
end
function F.cT(a)
local x,as=F.av(a,500)
local n=a.row.join.at
if x[1] and x[1].lane then
F.aQ(a,x)
else
for f=1,#x do
F.ch(a,x[f],n)
end
end
a.row.join.from=as - 1
a.changed=true
if as>=a.row.join.bound and not F.ao(a.row.join)then
F.cc(a)
end
return #x
end
`

const holds = `function F.f(a,r)
if not r then
return a and 'b' .. a or 'a'
end
return a and 'c' .. F.i(a).. r or 'd' .. r
end
function F.aq(i)
local v,bJ=string.sub(i,1,1),string.sub(i,2)
if v=='b' then
return bJ,nil
elseif v=='d' then
return nil,bJ
elseif v=='c' then
local eK=struct.unpack('>I2',bJ)
return string.sub(bJ,3,eK+2),string.sub(bJ,eK+3)
end
return nil,nil
end
local cq={}
function F.cr(H,a)
return H.freed~=nil and H.freed[a.name]==(a.row.born or 0)
end
function F.N(aK)
local cx={}
for f=1,#aK do
if cq[aK[f]]==nil then
cx[#cx+1]=aK[f]
end
end
for o=1,#cx,1000 do
local E=math.min(#cx,o+999)
local D=g('HMGET',m .. 'holds',unpack(cx,o,E))
for f=o,E do
local d=D[f - o+1]
cq[cx[f]]=d and cmsgpack.unpack(d)or false
end
end
end
function F.p(i)
if not e.holds then
return nil
end
F.N({i})
return cq[i] or nil
end
function F.P(i,H,a)
if not H then
return nil
end
if not H.probing then
if not(H.ends and H.ends<=u)then
return 'held'
end
if not H.probe then
return nil
end
end
if a then
return not F.cr(H,a)and 'probing' or nil
end
local q=0
local ah=F.aq(i)
for _,al in pairs(ah and{}or F.c())do
q=q+1
if not F.cr(H,al)then
return 'probing'
end
end
return q==0 and 'probing' or nil
end
function F.bd()
e.over=tonumber(g('ZRANGE',m .. 'over',0,0,'WITHSCORES')[2])
end
function F.bZ(i)
cq[i]=false
g('HDEL',m .. 'holds',i)
g('ZREM',m .. 'over',i)
if g('ZREM',m .. 'places',i)==1 then
e.holds=e.holds>1 and e.holds - 1 or nil
end
F.bd()
ac=true
end
function F.ap(i,H)
cq[i]=H
g('HSET',m .. 'holds',i,cmsgpack.pack(H))
if H.ends then
g('ZADD',m .. 'over',H.ends,i)
else
g('ZREM',m .. 'over',i)
end
e.holds=(e.holds or 0)+g('ZADD',m .. 'places',0,i)
F.bd()
ac=true
end
function F.au(i)
local M,r=F.aq(i)
if not r then
return
end
for al,a in pairs(F.c())do
if(not M or M==al)and a.row.lanes and a.row.lanes.flows>0 then
local h=F.k(a,r)
if h.byLive then
h.rest,h.byLive=nil,false
end
end
end
end
function F.bq(i,H)
H.probe,H.probing,H.ends=true,true,nil
H.freed,H.out={},{}
F.ap(i,H)
F.au(i)
end
function F.aM(i)
F.bZ(i)
F.au(i)
end
function F.dE(M)
if F.p(F.f(M))then
F.bZ(F.f(M))
end
local ak=F.f(M,'')
while e.holds do
local y=g('ZRANGEBYLEX',m .. 'places','[' .. ak,'(' .. ak .. '\\255','LIMIT',0,1000)
if #y==0 then
return
end
g('HDEL',m .. 'holds',unpack(y))
g('ZREM',m .. 'over',unpack(y))
g('ZREM',m .. 'places',unpack(y))
e.holds=e.holds>#y and e.holds - #y or nil
F.bd()
ac=true
end
end
function F.eu()
local Y=g('ZRANGEBYSCORE',m .. 'over','-inf',u,'LIMIT',0,256)
F.N(Y)
for _,i in ipairs(Y)do
local H=F.p(i)
if H and H.probe then
F.bq(i,H)
else
F.aM(i)
end
end
return e.over and e.over<=u
end
function F.bg(a,z)
local Y={}
for f=1,#z do
Y[#Y+1]=F.f(nil,z[f])
Y[#Y+1]=F.f(a.name,z[f])
end
F.N(Y)
end
function F.dM(a,flows)
local z,aP={},{}
for r in pairs(flows)do
z[#z+1]=r
end
F.bg(a,z)
for _,r in ipairs(z)do
for _,i in ipairs({F.f(nil,r),F.f(a.name,r)})do
if F.P(i,cq[i],a)=='held' then
aP[r]=true
end
end
end
return aP
end
function F.cm(a,r)
local P
local aT={}
if e.holds then
local Y={F.f(nil,r),F.f(a.name,r)}
F.N(Y)
for _,i in ipairs(Y)do
local H=F.p(i)
local bM=F.P(i,H,a)
if bM=='held' then
P=math.max(P or 0,H.ends or math.huge)
elseif bM=='probing' then
aT[#aT+1]=i
end
end
end
return P,aT
end
function F.cI(a,aT)
for _,i in ipairs(aT)do
local aQ=(F.p(i).out or{})[a.name]
if aQ then
local j=F.o(a,aQ[1])
if j and j.lease==aQ[2] then
if j.at>u then
return j.at
end
elseif not j and aQ[1]<281474976710656 and a.row.leased>a.row.out then
local p=F.V(a,aQ[1])
if p and p.number==aQ[2] and p.ends>u then
return p.ends
end
end
end
end
end
function F.cC(a,aT,c,s)
for _,i in ipairs(aT)do
local H=F.p(i)
if not H.probing then
F.bq(i,H)
end
H.out=H.out or{}
H.out[a.name]={c,s}
F.ap(i,H)
end
end
function F.aU(a,r,s,A,I)
local ez=false
local Y={'a',F.f(a.name)}
if r then
Y[3],Y[4]=F.f(nil,r),F.f(a.name,r)
end
F.N(Y)
for _,i in ipairs(Y)do
local H=F.p(i)
local aQ=H and H.probing and H.out and H.out[a.name]
if aQ and aQ[2]==s and aQ[1]>=A and aQ[1]<=I then
H.freed=H.freed or{}
H.freed[a.name]=a.row.born or 0
H.out[a.name]=nil
if F.aq(i)or not F.P(i,H)then
F.aM(i)
else
F.ap(i,H)
F.au(i)
end
ez=true
end
end
return ez
end
`

const ids = `function F.C(v,s,ah)
return string.format(ah>0 and '%s%.0f+%.0f' or '%s%.0f',v,s,ah)
end
function F.G(d)
local v,s,ah,w=string.match(d,'^([st])(%d+)%+?(%d*)%+?(.*)$')
if not v then
F.d('an id')
end
local y=v=='s' and{seq=tonumber(s)}or{number=tonumber(s)}
return y,tonumber(ah)or 0,w
end
function F.cB(c,w,ah)
if ah>0 then
g('HSET',m .. 'olds',F.b(c),F.C('s',c,ah).. '+' .. w)
end
end
function F.bj(w,S)
if S>u then
g('ZADD',m .. 'past','GT',S,w)
F.O(S)
end
end
function F.cu(c)
if e.groups==0 then
return(e.early and F.J(c)or F.aW(c))and true
end
for _,a in pairs(F.c())do
if F.t(a,c)then
return true
end
end
return false
end
function F.cj()
for o=1,#ci,1000 do
local J,am={},{}
for f=o,math.min(#ci,o+999)do
J[#J+1]=ci[f].id
end
local D=g('HMGET',m .. 'ids',unpack(J))
for f=1,#J do
local b=ci[o+f - 1]
if e.groups==1 or not F.cu(b.seq)then
F.bj(b.id,u+b.named)
if D[f] and F.G(D[f]).seq==b.seq then
am[#am+1]=b.id
else
g('HDEL',m .. 'olds',F.b(b.seq))
end
end
end
if #am>0 then
g('HDEL',m .. 'ids',unpack(am))
end
end
ci={}
end
function F.aE(q)
local D=m ..(e.olds and 'olds' or 'ids')
local V=g('HSCAN',D,e.scan,'COUNT',q)
local am={}
for f=1,#V[2],2 do
local bv=V[2][f]
local cY,y,ah,w=pcall(F.G,V[2][f+1])
if not cY then
y,ah={},0
end
local cu=y.seq and F.cu(y.seq)
or y.number and g('HEXISTS',m .. 'delayed',F.b(y.number))==1
if not cu then
am[#am+1]=bv
F.bj(w~='' and w or bv,e.cut+ah)
end
end
for o=1,#am,1000 do
g('HDEL',D,unpack(am,o,math.min(#am,o+999)))
end
e.scan=V[1]
if V[1]=='0' then
e.scan=e.olds and '0'
e.olds=nil
end
e.cut=e.scan and e.cut
ac=true
end
function F.bT()
e.olds=g('EXISTS',m .. 'olds')==1 or nil
if e.olds or g('EXISTS',m .. 'ids')==1 then
e.cut=u
e.scan='0'
ac=true
end
end
function F.bt()
if e.untidy then
e.untidy=nil
ac=true
local A=F.K()
F.ab(e.groups>0 and F.am()or A and A.first or e.tail)
end
if e.scan then
F.aE(500)
end
end
`

const lanes = `F.H='\\255'
function F.h(a)
local d=a.row
if not d.lanes then
d.lanes={flows=0,ahead=0,again=0,lost=0,at=d.served and '' or nil,left=0}
end
return d.lanes
end
function F.dZ(h)
return cmsgpack.pack(h.size,h.live,h.ahead,h.again,h.full or false,h.rest or false,h.wake or false,h.byLive or false,h.ready or false,h.woken or false,h.waited or false,h.last or false)
end
function F.eA(ca)
local X,cj,bu,ba,ey,bJ,fl,eo,aW,ce,fj,I=cmsgpack.unpack(ca)
if not(F.D(X)and F.D(cj)and F.D(bu)and F.D(ba))then
F.d('a lane')
end
return{size=X,live=cj,ahead=bu,again=ba,full=ey or nil,rest=bJ or nil,wake=fl or nil,byLive=eo,ready=aW,woken=ce,waited=fj,last=I or nil}
end
function F.L(a,z)
a.flows=a.flows or{}
local aK={}
for f=1,#z do
if not a.flows[z[f]] then
aK[#aK+1]=z[f]
end
end
for o=1,#aK,1000 do
local E=math.min(#aK,o+999)
local D=g('HMGET',F.a(a,'flows'),unpack(aK,o,E))
for f=o,E do
local ca=D[f - o+1]
local h=ca and F.eA(ca)or{size=0,live=0,ahead=0,again=0,isNew=true}
h.lane=aK[f]
a.flows[aK[f]]=h
end
end
end
function F.ai(a,r)
if not(a.flows and a.flows[r])then
F.L(a,{r})
end
return a.flows[r]
end
function F.k(a,r)
local h=F.ai(a,r)
if not a.changedFlows then
a.changedFlows={}
end
a.changedFlows[r]=h
a.changed=true
co=true
return h
end
function F.aO(h)
h.live=h.live - 1
if h.byLive then
h.rest,h.byLive=nil,false
end
end
function F.n(command,k,arguments,cl)
for o=1,#arguments,cl do
g(command,k,unpack(arguments,o,math.min(#arguments,o+cl - 1)))
end
end
function F.aS()
co=false
for _,a in pairs(aw)do
F.ah(a)
local cy=a.changedFlows
if cy then
a.changedFlows=nil
local Z=F.h(a)
local aP=e.holds and F.dM(a,cy)or{}
local D,am,ae,cL,cM,ce={},{},{},{},{},{}
for r,h in pairs(cy)do
if h.size==0 and not(h.full and h.full>u)then
if not h.isNew then
am[#am+1]=r
Z.flows=Z.flows - 1
if h.ready then
cM[#cM+1]=r
end
if h.wake then
g('ZREM',F.a(a,'wake'),r)
end
end
a.flows[r]=nil
else
local dE=h.ahead+h.again>0
local dT=h.rest and h.rest>u
local aW=dE and not dT and not aP[r]
if aW and not h.ready then
cL[#cL+1]=0
cL[#cL+1]=r
elseif h.ready and not aW then
cM[#cM+1]=r
end
h.ready=aW
h.waited=dE and(h.waited or dT and not h.byLive)
local cS=dE and dT and h.rest or h.size==0 and h.full
if cS and not(h.wake and h.wake<=cS)then
h.wake=cS
ce[#ce+1]=cS
ce[#ce+1]=r
end
if h.isNew then
h.isNew=nil
Z.flows=Z.flows+1
ae[#ae+1]=0
ae[#ae+1]=r
end
D[#D+1]=r
D[#D+1]=F.dZ(h)
end
end
F.n('HSET',F.a(a,'flows'),D,1000)
F.n('HDEL',F.a(a,'flows'),am,1000)
F.n('ZREM',F.a(a,'lanes'),am,1000)
F.n('ZADD',F.a(a,'lanes'),ae,1000)
F.n('ZADD',F.a(a,'ready'),cL,1000)
F.n('ZREM',F.a(a,'ready'),cM,1000)
F.n('ZADD',F.a(a,'wake'),ce,1000)
end
end
end
function F.ae(r,n,c)
return r .. F.H .. F.b(n).. F.b(c)
end
function F.eC(a,c,j)
local h=F.k(a,j.lane)
if j.at<=u then
g('ZADD',F.a(a,'again'),0,F.ae(j.lane,j.at,c))
h.again=h.again+1
F.h(a).again=F.h(a).again+1
else
g('ZADD',F.a(a,'rests'),j.at,F.b(c))
end
end
F.da={side='HSET',lends='ZADD',line='ZREM',unside='HDEL',unlends='ZREM'}
function F.S(a,v,al,two)
a.deferred=a.deferred or{}
local bR=a.deferred[v]
if not bR then
bR={}
a.deferred[v]=bR
end
bR[#bR+1]=al
if two then
bR[#bR+1]=two
end
co=true
end
function F.ah(a)
local eL=a.deferred
if eL then
a.deferred=nil
for v,bR in pairs(eL)do
F.n(F.da[v],F.a(a,string.match(v,'^un(.*)$')or v),bR,1000)
end
end
end
function F.dG(a,c,j)
local h=F.k(a,j.lane)
if g('ZREM',F.a(a,'rests'),F.b(c))==0 then
g('ZREM',F.a(a,'again'),F.ae(j.lane,j.at,c))
h.again=h.again - 1
F.h(a).again=F.h(a).again - 1
end
end
function F.cd(a,c,j)
local h=F.k(a,j.lane)
if g('ZREM',F.a(a,'lends'),F.b(c))==0 then
g('ZREM',F.a(a,'again'),F.ae(j.lane,j.at,c))
h.again=h.again - 1
F.h(a).lost=F.h(a).lost - 1
else
F.aO(h)
end
end
function F.cx(a,c,j,P,cX)
local h=F.k(a,j.lane)
h.live=h.live+1
j.at=P
if cX then
F.S(a,'side',F.b(c),cmsgpack.pack(j))
F.S(a,'lends',P,F.b(c))
else
F.v(a,c,j)
g('ZADD',F.a(a,'lends'),P,F.b(c))
end
end
function F.cy(a,h,c)
F.S(a,'line',h.lane .. F.H .. F.b(c))
h.ahead=h.ahead - 1
F.h(a).ahead=F.h(a).ahead - 1
end
function F.ek(a,c,r)
F.ah(a)
local h=F.k(a,r)
g('HDEL',F.a(a,'side'),F.b(c))
g('ZADD',F.a(a,'line'),0,r .. F.H .. F.b(c))
h.ahead=h.ahead+1
h.line=nil
F.h(a).ahead=F.h(a).ahead+1
end
function F.aR(x)
local ag={held={},line={},names={},bytes=0}
local aP,bg,z=ag.held,ag.line,ag.names
for f=1,#x do
local b=x[f]
local c,r=b.seq,b.lane
aP[2*f - 1],aP[2*f]=c,cmsgpack.pack(b)
bg[2*f - 1],bg[2*f]=0,r .. F.H .. F.b(c)
z[f]=r
ag.bytes=ag.bytes+#b.record
ag.expires=ag.expires or b.expires
end
return ag
end
function F.aQ(a,x,ag)
if #x==0 then
return
end
ag=ag or F.aR(x)
F.L(a,ag.names)
for f=1,#x do
local h=F.k(a,ag.names[f])
h.size=h.size+1
h.ahead=h.ahead+1
end
for f=1,ag.expires and #x or 0 do
F.y(a,x[f])
end
F.n('ZADD',F.a(a,'held'),ag.held,1000)
F.n('ZADD',F.a(a,'line'),ag.line,1000)
local Z=F.h(a)
Z.ahead=Z.ahead+#x
a.row.outside=a.row.outside+ag.bytes
a.changed=true
end
function F.bm(x,isFor)
if #x==0 then
return
end
e.laned=true
ac=true
if e.groups==0 then
local ag=F.aR(x)
F.n('ZADD',m .. 'early',ag.held,1000)
for f=1,ag.expires and #x or 0 do
local b=x[f]
if b.expires then
g('ZADD',m .. 'earlyreap',b.expires,F.b(b.seq))
end
end
e.early=(e.early or 0)+#x
e.earlyBytes=(e.earlyBytes or 0)+ag.bytes
return
end
local ag=F.aR(x)
for _,a in pairs(F.c())do
if isFor and a.row.since then
local ah={}
for f=1,#x do
if isFor(a,f)then
ah[#ah+1]=x[f]
end
end
F.aQ(a,ah)
else
F.aQ(a,x,ag)
end
end
end
function F.J(c)
return F.M(m .. 'early',c)
end
function F.bX(b)
g('ZREMRANGEBYSCORE',m .. 'early',b.seq,b.seq)
if b.expires then
g('ZREM',m .. 'earlyreap',F.b(b.seq))
end
e.early=e.early - 1
e.earlyBytes=e.earlyBytes - #b.record
ac=true
end
function F.eD(a)
local T=256
local an=false
local function ea(v,bP)
local k=F.a(a,v)
local G=g('ZRANGEBYSCORE',k,'-inf',u,'WITHSCORES','LIMIT',0,T)
if #G==0 then
return
end
local R={}
for f=1,#G,2 do
R[#R+1]=G[f]
end
g('ZREM',k,unpack(R))
bP(R,G)
an=an or #R==T
end
local function fi(R,G,bA)
local aN=g('HMGET',F.a(a,'side'),unpack(R))
local z,ba={},{}
for f=1,#R do
local j=aN[f] and cmsgpack.unpack(aN[f])
if not(j and j.lane)then
F.d('a message')
end
aN[f]=j
z[f]=j.lane
end
F.L(a,z)
for f=1,#R do
local j=aN[f]
local h=F.k(a,j.lane)
ba[#ba+1]=0
ba[#ba+1]=F.ae(j.lane,j.at,tonumber(R[f]))
h.again=h.again+1
bA(h,R[f],j)
end
g('ZADD',F.a(a,'again'),unpack(ba))
end
ea('rests',function(R,G)
fi(R,G,function()
F.h(a).again=F.h(a).again+1
end)
end)
ea('lends',function(R,G)
fi(R,G,function(h,c,j)
F.aO(h)
F.h(a).lost=F.h(a).lost+1
if j.expires then
g('ZADD',F.a(a,'reap'),j.expires,c)
F.O(j.expires)
end
end)
end)
ea('wake',function(z)
F.L(a,z)
for f=1,#z do
local h=F.k(a,z[f])
h.wake=nil
if h.rest and h.rest<=u then
h.rest,h.byLive=nil,false
h.woken=true
end
end
end)
return an
end
`

const leases = `function F.eb(p)
return cmsgpack.pack({
p.first,
p.last,
p.ends,
p.number,
p.attempt,
p.named or false,
p.key or false,
p.bytes,
})
end
function F.aa(t)
local ad=F.z(cmsgpack.unpack(t),{1,2,3,4,5,8})
if ad[1]>ad[2] or ad[2]>=e.tail then
F.d('a lease')
end
return{
member=t,
first=ad[1],
last=ad[2],
ends=ad[3],
number=ad[4],
attempt=ad[5],
named=ad[6],
key=ad[7] or nil,
bytes=ad[8],
}
end
function F.V(a,c)
local t=g('ZRANGEBYSCORE',F.a(a,'leases'),c,'+inf','LIMIT',0,1)[1]
if not t then
return nil,nil
end
local p=F.aa(t)
if p.last<c then
F.d('a lease')
end
if p.first<=c then
return p,nil
end
return nil,p
end
function F.I(a,p)
local t=F.eb(p)
g('ZADD',F.a(a,'leases'),p.last,t)
g('ZADD',F.a(a,'ends'),p.ends,t)
a.row.leased=a.row.leased+p.last - p.first+1
a.changed=true
end
function F.aJ(a,p)
g('ZREM',F.a(a,'leases'),p.member)
g('ZREM',F.a(a,'ends'),p.member)
a.row.leased=a.row.leased -(p.last - p.first+1)
a.changed=true
end
function F.X(p,A,I)
return{
first=A,
last=I,
ends=p.ends,
number=p.number,
attempt=p.attempt,
named=p.named,
key=p.key,
bytes=p.bytes,
}
end
function F.ag(a,p,A,I)
F.aJ(a,p)
if A>p.first then
F.I(a,F.X(p,p.first,A - 1))
end
if I<p.last then
F.I(a,F.X(p,I+1,p.last))
end
end
`

const log = `local aE
function F.at(au)
local aq=au[2]
local aL=F.z(cmsgpack.unpack(aq[2]),{1,2,3})
local l={
first=aL[1],
last=tonumber(string.match(au[1],'^%d+')),
at=aL[2],
bytes=aL[3],
base=aL[4],
blob=aq[4],
columns=aq[6] and cmsgpack.unpack(aq[6]),
}
local q=l.last - l.first+1
l.count=q
local P=4*q
if q<1 or l.last>=e.tail or #l.blob~=P+struct.unpack('<I4',l.blob,P - 3)then
F.d('an entry of the log')
end
return l
end
function F.bl(c,q)
return g('XRANGE',m .. 'log',string.format('%.0f-0',c),'+','COUNT',q)
end
function F.q(c)
if aE and c>=aE.first and c<=aE.last then
return aE
end
local au=F.bl(c,1)[1]
if au then
local l=F.at(au)
if l.first<=c then
aE=l
return l
end
end
end
function F.K()
local au=g('XRANGE',m .. 'log','-','+','COUNT',1)[1]
return au and F.at(au)
end
function F.Z(ap,f)
return f==1 and 0 or struct.unpack('<I4',ap,4*f - 7)
end
function F.bh(l,f)
local ap,P=l.blob,4*l.count
return string.sub(ap,P+F.Z(ap,f)+1,P+F.Z(ap,f+1))
end
function F.dL(aI)
local v=string.byte(aI)
if v and v>=4 and #aI>=5 then
return string.char(4).. string.sub(aI,2,5+struct.unpack('<I4',aI,2))
end
return '\\0'
end
function F.bp(l,o,E)
return F.Z(l.blob,E+1)- F.Z(l.blob,o)
end
function F.aZ(aR,s,bB)
return aR .. string.format('%08x',(s % 2147483648)*2+bB)
end
function F.cn(l,f)
local J=l.columns and l.columns.id
return J and J[f] or F.aZ(l.base,l.first+f - 1,0)
end
function F.W(l,f)
local N=l.columns
local b={
seq=l.first+f - 1,
id=F.cn(l,f),
at=l.at,
record=F.bh(l,f),
}
if N then
b.at=N.at and N.at[f] or l.at
b.key=N.key and N.key[f]
b.expires=N.expires and N.expires[f]
b.max=N.max and N.max[f]
b.named=N.named and N.named[f]
b.keep=N.keep and N.keep[f]
b.since=N.since and N.since[f]
end
return b
end
function F.bM(c)
if e.amended>0 then
local d=g('ZRANGEBYSCORE',m .. 'amend',c,c)[1]
return d and cmsgpack.unpack(d)
end
end
function F.af(A,I)
if e.amended==0 then
return nil
end
local D=g('ZRANGEBYSCORE',m .. 'amend',A,I)
if #D==0 then
return nil
end
local az={}
for f=1,#D do
local b=cmsgpack.unpack(D[f])
az[b.seq]=b
end
return az
end
function F.bL(b)
local c=b.seq
local fI=e.amended>0 and g('ZREMRANGEBYSCORE',m .. 'amend',c,c)or 0
e.amended=e.amended+1 - fI
ac=true
g('ZADD',m .. 'amend',c,cmsgpack.pack(b))
end
function F.O(S)
if not e.reap or S<e.reap then
e.reap=S
ac=true
end
end
function F.b(c)
return string.format('%016.0f',c)
end
function F.ct(c)
return e.gone>0 and g('ZSCORE',m .. 'gone',F.b(c))and true
end
function F.bQ(c)
return e.gone>0 and g('ZCOUNT',m .. 'gone',c,'+inf')or 0
end
function F.aj(A,I)
if e.gone==0 then
return nil,0
end
local G=g('ZRANGEBYSCORE',m .. 'gone',A,I)
if #G==0 then
return nil,0
end
local av={}
for f=1,#G do
av[tonumber(G[f])]=true
end
return av,#G
end
function F.cz(c)
e.gone=e.gone+g('ZADD',m .. 'gone',c,F.b(c))
ac=true
end
function F.aW(c)
return F.q(c)and not F.ct(c)
end
function F.dN(c)
local bm=F.bM(c)
if bm then
return(bm.named or bm.keep)and bm
end
local l=F.q(c)
local f=c - l.first+1
local N=l.columns
if N and N.keep and N.keep[f] then
return F.W(l,f)
end
local ae=N and N.named and N.named[f]
return ae and{seq=c,id=N.id[f],named=ae}
end
function F.u(c)
local bm=F.bM(c)
if bm then
return bm
end
local l=F.q(c)
return l and F.W(l,c - l.first+1)
end
`

const moves = `function F.m(b)
local k,r=b.key,b.lane
return k and r and '\\255' .. struct.pack('>I2',#r).. r .. k or k
end
function F.ac(a,c,j)
F.v(a,c,j)
if j.lane then
F.eC(a,c,j)
else
g('ZADD',F.a(a,'due'),j.at,F.b(c))
end
a.row.waiting=a.row.waiting+1
a.changed=true
end
function F.aP(a,c,j)
if j.lane then
F.dG(a,c,j)
else
g('ZREM',F.a(a,'due'),F.b(c))
end
a.row.waiting=a.row.waiting - 1
end
function F.aN(a,c,j)
if j.lane then
F.cd(a,c,j)
else
g('ZREM',F.a(a,'ends'),F.b(c))
end
a.row.leased=a.row.leased - 1
a.row.out=a.row.out - 1
end
function F.y(a,b)
if b.expires then
g('ZADD',F.a(a,'reap'),b.expires,F.b(b.seq))
F.O(b.expires)
end
end
function F.bb(a,k,c)
local d,ak=a.row,F.i(k)
local t=d.blocked+(d.parked or 0)>0
and g('ZRANGEBYLEX',F.a(a,'chain'),'(' .. ak .. F.b(c),'[' .. ak .. '\\255','LIMIT',0,1)[1]
if t then
return tonumber(string.sub(t,#ak+1)),t
end
end
function F.w(a,k)
if not k then
return
end
local c,t=F.bb(a,k,0)
if not c then
g('HDEL',F.a(a,'heads'),k)
return
end
g('ZREM',F.a(a,'chain'),t)
g('HSET',F.a(a,'heads'),k,F.b(c))
local j=F.o(a,c)
if j and j.parked then
return
end
a.row.blocked=a.row.blocked - 1
if j and j.lane and j.at==0 then
F.ek(a,c,j.lane)
return
end
F.ac(a,c,{at=math.max(u,j and j.at or 0),attempt=0,lane=j and j.lane})
end
function F.bO(a,b,n)
F.Y(a,b)
F.y(a,b)
F.cR(a,b,n)
end
function F.cR(a,b,n)
g('ZADD',F.a(a,'chain'),0,F.i(F.m(b)).. F.b(b.seq))
if n or b.lane then
F.v(a,b.seq,{at=n or 0,blocked=true,lane=b.lane})
end
a.row.blocked=a.row.blocked+1
end
function F.al(a,k)
return g('HEXISTS',F.a(a,'heads'),k)==1
end
function F.ep(a,b)
if a.row.stops and F.cv(a,b)then
return true
end
if F.al(a,b.key)then
F.bO(a,b)
return true
end
return false
end
function F.ch(a,b,n)
local ab=F.m(b)
if ab and F.al(a,ab)and not(a.row.parked and F.ei(a,b))then
F.bO(a,b,n)
return
end
if ab then
g('HSET',F.a(a,'heads'),ab,F.b(b.seq))
end
F.Y(a,b)
F.y(a,b)
F.ac(a,b.seq,{at=n,attempt=0,lane=b.lane})
end
function F.bk(a,i,b)
local d,v,c=a.row,i.kind,b.seq
a.changed=true
if d.running then
F.aL(a,c)
end
if v=='ahead' then
return
end
if v=='unjoined' then
g('ZREMRANGEBYSCORE',F.a(a,'handed'),c,c)
return
end
if v=='leased' then
F.ag(a,i.lease,c,c)
F.w(a,i.lease.key)
return
end
F.bY(a,b)
local ab=F.m(b)
if v=='parked' then
F.aK(a,b)
if ab and not F.U(a,ab,c)then
g('ZREM',F.a(a,'chain'),F.i(ab).. F.b(c))
ab=nil
end
F.w(a,ab)
return
end
if v=='lined' then
F.cy(a,F.k(a,b.lane),c)
if ab and g('HGET',F.a(a,'heads'),ab)==F.b(c)then
F.w(a,ab)
end
return
end
if v=='blocked' then
g('ZREM',F.a(a,'chain'),F.i(ab).. F.b(c))
d.blocked=d.blocked - 1
return
end
if v=='held' then
F.aN(a,c,i.side)
else
F.aP(a,c,i.side)
end
F.w(a,ab)
end
local ci={}
function F.aI(b)
if b.named then
ci[#ci+1]=b
end
end
function F.bs(a,by)
F.g(a.row,'keepers',by)
F.g(e,'keepers',by)
a.changed,ac=true,true
end
function F.R(a,b,U,bH,bI,cz)
local d=a.row
local O={message=b,attempt=U,reason=bH,error=bI,at=at,fence=bS}
if cz then
O.ends=u+cz
g('ZADD',F.a(a,'fade'),O.ends,F.b(b.seq))
F.O(O.ends)
end
if b.named then
g('ZADD',F.a(a,'letters'),0,F.i(b.id).. F.b(b.seq))
end
g('ZADD',F.a(a,'dead'),b.seq,cmsgpack.pack(O))
d.dead=d.dead+1
a.changed=true
if b.keep then
F.bs(a,1)
F.aG(a,b,U,{status='dead',reason=bH,error=bI})
end
F.aI(b)
end
function F.x(a,c)
local d=g('ZRANGEBYSCORE',F.a(a,'dead'),c,c)[1]
local O=d and cmsgpack.unpack(d)
if O and not(O.ends and O.ends<=u)then
return O,d
end
return nil,d
end
function F.ca(a,d)
local O=cmsgpack.unpack(d)
local b=O.message
g('ZREM',F.a(a,'dead'),d)
if O.ends then
g('ZREM',F.a(a,'fade'),F.b(b.seq))
end
if b.named then
g('ZREM',F.a(a,'letters'),F.i(b.id).. F.b(b.seq))
end
if b.keep then
F.bs(a,-1)
end
local ab=a.row.stops and F.m(b)
if ab and g('HGET',F.a(a,'stops'),ab)==F.b(b.seq)then
F.cf(a,ab)
end
a.row.dead=a.row.dead - 1
a.changed=true
end
`

const outcomes = `function F.aG(a,b,U,C)
bX=bX or{}
local aU=bX[a] or{}
bX[a]=aU
C.seq,C.id,C.key,C.lane=b.seq,b.id,b.key,b.lane
C.at,C.max,C.attempt=b.at,b.max,U
C.ended,C.ends=at,u+b.keep
aU[#aU+1]={C,b.named}
end
function F.cW(c,w)
return F.b(c)..(w or '')
end
function F.cw()
local z={}
for a,aU in pairs(bX)do
for o=1,#aU,500 do
local E=math.min(#aU,o+500 - 1)
local J,W,cQ,bQ,R={},{},{},{},{}
for f=o,E do
J[#J+1]=aU[f][1].id
end
local D=g('HMGET',m .. 'ids',unpack(J))
local bT=a.row.kept and g('HMGET',F.a(a,'kept'),unpack(J))or{}
for f=o,E do
local C,ae=aU[f][1],aU[f][2]
local d,ar=D[f - o+1],bT[f - o+1]
local eD=not d and not ar
if ae then
eD=d and F.G(d).seq==C.seq and(not ar or tonumber(ar)==C.seq)
end
if eD then
W[#W+1]=C.seq
W[#W+1]=cmsgpack.pack(C)
cQ[#cQ+1]=C.ends
cQ[#cQ+1]=F.cW(C.seq,ae and C.id)
if ae then
bQ[#bQ+1]=C.id
bQ[#bQ+1]=F.b(C.seq)
end
z[#z+1]=C.id
F.O(C.ends)
elseif C.status=='dead' then
F.br(a,C.seq)
end
R[#R+1]=F.b(C.seq)
end
if #W>0 then
g('ZADD',F.a(a,'results'),unpack(W))
g('ZADD',F.a(a,'until'),unpack(cQ))
F.g(a.row,'kept',#W/2)
F.g(e,'kept',#W/2)
end
if #bQ>0 then
g('HSET',F.a(a,'kept'),unpack(bQ))
end
if a.row.running then
F.g(a.row,'running',-g('HDEL',F.a(a,'progress'),unpack(R)))
end
end
a.changed,ac=true,true
end
if #z>0 then
ee=#z>64 and '"many"' or cjson.encode(z)
end
bX=nil
end
function F.ev(a,T)
local G=g('ZRANGEBYSCORE',F.a(a,'until'),'-inf',u,'LIMIT',0,T)
if #G==0 then
return 0
end
g('ZREMRANGEBYRANK',F.a(a,'until'),0,#G - 1)
local R,J={},{}
for f=1,#G do
R[f]=tonumber(string.sub(G[f],1,16))
if #G[f]>16 then
J[#J+1]=string.sub(G[f],17)
end
end
table.sort(R)
local o=1
for f=1,#R do
if R[f+1]~=R[f]+1 then
g('ZREMRANGEBYSCORE',F.a(a,'results'),R[o],R[f])
o=f+1
end
end
for A=1,#J,1000 do
g('HDEL',F.a(a,'kept'),unpack(J,A,math.min(#J,A+999)))
end
F.g(a.row,'kept',-#G)
F.g(e,'kept',-#G)
a.changed,ac=true,true
return #G
end
function F.be(a,c)
local d=g('ZRANGEBYSCORE',F.a(a,'results'),c,c)[1]
return d and cmsgpack.unpack(d)
end
function F.cb(a,c)
local C=F.be(a,c)
if not C then
return
end
local t=F.cW(c,C.id)
g('ZREMRANGEBYSCORE',F.a(a,'results'),c,c)
g('ZREM',F.a(a,'until'),F.b(c),t)
if g('HGET',F.a(a,'kept'),C.id)==F.b(c)then
g('HDEL',F.a(a,'kept'),C.id)
end
F.g(a.row,'kept',-1)
F.g(e,'kept',-1)
a.changed,ac=true,true
end
function F.br(a,c)
local O,d=F.x(a,c)
if O and O.message.keep then
O.message.keep=nil
F.bs(a,-1)
g('ZREM',F.a(a,'dead'),d)
g('ZADD',F.a(a,'dead'),c,cmsgpack.pack(O))
end
end
function F.er(a,w,bz)
local ak=F.i(w)
for _,t in ipairs(g('ZRANGEBYLEX',F.a(a,'letters'),'[' .. ak,'[' .. ak .. '\\255'))do
F.br(a,tonumber(string.sub(t,#ak+1)))
end
local O=bz and F.x(a,bz)
if O and O.message.id==w then
F.br(a,bz)
end
end
function F.dJ(J)
for _,a in pairs(F.c())do
local d=a.row
for o=1,(d.kept or d.keepers)and #J or 0,1000 do
local E=math.min(#J,o+999)
local y=d.kept and g('HMGET',F.a(a,'kept'),unpack(J,o,E))or{}
for f=o,E do
local w,bz=J[f],F.bn(J[f])
local c=tonumber(y[f - o+1])or bz
local C=d.kept and c and F.be(a,c)
if C and C.id==w then
F.cb(a,c)
end
if d.keepers then
F.er(a,w,bz)
end
end
end
end
end
function F.cE(a,w)
local c=tonumber(g('HGET',F.a(a,'kept'),w))or F.bn(w)
local C=c and F.be(a,c)
return C and C.id==w and C.ends>u and C or nil
end
function F.bU(C)
if C.status=='done' then
return{'done',C.ended,C.value or ''}
end
return{'dead',C.ended,C.reason,C.error or ''}
end
function F.dY(a,b,s,ai)
if b.keep then
local d=cmsgpack.pack({s,ai,at})
F.g(a.row,'running',g('HSET',F.a(a,'progress'),F.b(b.seq),d))
end
end
function F.aL(a,c)
F.g(a.row,'running',-g('HDEL',F.a(a,'progress'),F.b(c)))
a.changed=true
end
function F.cJ(a,c,s)
local d=g('HGET',F.a(a,'progress'),F.b(c))
local bt=d and cmsgpack.unpack(d)
if bt and bt[1]==s then
return{bt[3],bt[2]}
end
end
`

const parked = `function F.U(a,k,c)
return g('HGET',F.a(a,'heads'),k)==F.b(c)
end
function F.cL(a,b,j)
local c=b.seq
F.v(a,c,j)
g('ZADD',F.a(a,'parked'),c,F.b(c))
if b.named then
g('ZADD',F.a(a,'named'),0,F.i(b.id).. F.b(c))
end
F.g(a.row,'parked',1)
a.changed=true
end
function F.aK(a,b)
g('ZREM',F.a(a,'parked'),F.b(b.seq))
if b.named then
g('ZREM',F.a(a,'named'),F.i(b.id).. F.b(b.seq))
end
F.g(a.row,'parked',-1)
a.changed=true
end
function F.ed(a,b,j)
F.y(a,b)
F.cL(a,b,j)
local k=F.m(b)
if k and a.row.blocked>0 then
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(b.seq))
F.w(a,k)
end
end
function F.cK(a,c,r)
if r then
F.v(a,c,{at=0,blocked=true,lane=r})
else
g('HDEL',F.a(a,'side'),F.b(c))
end
a.row.blocked=a.row.blocked+1
end
function F.ee(a,w,y)
local R={}
local ak=F.i(w)
for _,t in ipairs(g('ZRANGEBYLEX',F.a(a,'named'),'[' .. ak,'(' .. ak .. '\\255'))do
local c=tonumber(string.sub(t,#ak+1))
if c~=y then
table.insert(R,1,c)
end
end
if y then
table.insert(R,1,y)
end
return R
end
function F.cU(a,b)
local c,k,r=b.seq,F.m(b),b.lane
F.aK(a,b)
if k and not F.U(a,k,c)then
F.cK(a,c,r)
else
F.ac(a,c,{at=u,attempt=0,lane=r})
end
end
F.cY='sbehind a dead letter'
function F.cG(a,b,O)
F.cL(a,b,{attempt=0,parked={reason=F.cY,at=at,letter=O}})
end
function F.dU(a,b)
local k=F.m(b)
local aL=tonumber(g('HGET',F.a(a,'heads'),k))
local c=aL and aL>b.seq and aL or F.bb(a,k,b.seq)
local j=c and F.o(a,c)
if j and j.parked and j.parked.letter==b.seq then
F.aK(a,F.r(a,c))
F.cK(a,c,b.lane)
if c==aL then
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(c))
g('HDEL',F.a(a,'heads'),k)
end
end
end
function F.ar(a,b)
local k=F.m(b)
local c=F.bb(a,k,b.seq)
if not c then
local bb=a.row.stops and tonumber(g('HGET',F.a(a,'stops'),k))
if not(bb and bb<b.seq and F.x(a,bb))then
F.g(a.row,'stops',g('HSET',F.a(a,'stops'),k,F.b(b.seq)))
end
return
end
local j=F.o(a,c)
if not(j and j.parked)then
a.row.blocked=a.row.blocked - 1
F.cG(a,F.r(a,c),b.seq)
end
end
function F.cf(a,k)
F.g(a.row,'stops',-g('HDEL',F.a(a,'stops'),k))
a.changed=true
end
function F.cv(a,b)
local k,c=F.m(b),b.seq
local O=tonumber(g('HGET',F.a(a,'stops'),k))
if not O or O>c then
return false
end
F.cf(a,k)
if not F.x(a,O)then
return false
end
if not b.lane then
F.Y(a,b)
F.y(a,b)
end
F.cG(a,b,O)
if b.lane and F.U(a,k,c)then
return true
end
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(c))
if not F.al(a,k)then
F.w(a,k)
end
return true
end
function F.ei(a,b)
local k=F.m(b)
local aL=g('HGET',F.a(a,'heads'),k)
local c=aL and tonumber(aL)
local j=c and c>b.seq and F.o(a,c)
if j and j.parked then
g('ZADD',F.a(a,'chain'),0,F.i(k).. aL)
return true
end
return false
end
`

const places = `function F.o(a,c)
local d=g('HGET',F.a(a,'side'),F.b(c))
return d and cmsgpack.unpack(d)
end
function F.v(a,c,j)
g('HSET',F.a(a,'side'),F.b(c),cmsgpack.pack(j))
end
function F.M(k,c)
local d=g('ZRANGEBYSCORE',k,c,c)[1]
return d and cmsgpack.unpack(d)
end
function F.r(a,c)
return F.M(F.a(a,'held'),c)
end
function F.ak(a,c)
local b,j=F.r(a,c),F.o(a,c)
if not b or b.seq~=c or type(b.record)~='string' or not F.D(j and j.attempt)then
F.d('a message')
end
return b,j
end
function F.Y(a,b)
g('ZADD',F.a(a,'held'),b.seq,cmsgpack.pack(b))
a.row.outside=a.row.outside+#b.record
a.changed=true
if b.lane then
local h=F.k(a,b.lane)
h.size=h.size+1
end
end
local dD=true
function F.aY(B,b)
return b.redriven and b.redriven>B.redrives
end
function F.bN(B,c)
return c>B.from and c<B.bound or B.lanes and c>=281474976710656 and c<B.lanes
end
function F.cl(a,b)
for _,ar in pairs(F.c())do
local B=ar.row.join
if B and ar~=a and F.bN(B,b.seq)and not F.aY(B,b)then
local k=F.a(ar,'handed')
if g('ZCOUNT',k,b.seq,b.seq)==0 then
g('ZADD',k,b.seq,cmsgpack.pack(b))
end
end
end
end
function F.bY(a,b)
if e.joining>0 and dD then
F.cl(a,b)
end
local c=b.seq
g('ZREMRANGEBYSCORE',F.a(a,'held'),c,c)
g('HDEL',F.a(a,'side'),F.b(c))
if b.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
a.row.outside=a.row.outside - #b.record
a.changed=true
if b.lane then
local h=F.k(a,b.lane)
h.size=h.size - 1
end
end
function F.cq(B,k,b)
if F.aY(B,b)then
return false
end
local ad=B.parts and B.parts[k]
for _,aH in ipairs(ad or{})do
if b.seq>aH.from and b.seq<aH.to and not F.aY(aH,b)then
return true
end
end
return not ad
end
function F.aw(a,c)
local B=a.row.join
if B and F.bN(B,c)then
for _,k in ipairs(B.keys)do
local b=F.M(m .. k,c)
if b and F.cq(B,k,b)then
return m .. k
end
end
end
end
function F.eo(b)
b.redriven=nil
if e.joining>0 then
F.g(e,'redrives',1)
b.redriven=e.redrives
ac=true
end
end
function F.cH(j)
return{kind=j.parked and 'parked' or j.blocked and 'blocked' or j.lease and 'held' or 'waiting',side=j}
end
function F.t(a,c)
local d=a.row
if c>=281474976710656 then
local j=d.lanes and d.lanes.flows>0 and F.o(a,c)
if j then
return F.cH(j)
end
if d.lanes and g('ZCOUNT',F.a(a,'held'),c,c)>0 then
return{kind='lined'}
end
local k=F.aw(a,c)
return k and{kind='unjoined',key=k}or nil
end
if d.leased+d.waiting+d.blocked+(d.parked or 0)>0 then
local j=F.o(a,c)
if j then
return F.cH(j)
end
if d.blocked>0 and g('ZCOUNT',F.a(a,'held'),c,c)>0 then
return{kind='blocked'}
end
local p=d.leased>d.out and F.V(a,c)
if p then
return{kind='leased',lease=p}
end
end
if c>=d.cursor and not F.ct(c)then
return{kind='ahead'}
end
local k=F.aw(a,c)
if k then
return{kind='unjoined',key=k}
end
end
function F.ba(a,i,c)
if i.kind=='ahead' or i.kind=='leased' then
return F.u(c)
end
return F.M(i.key or F.a(a,'held'),c)
end
function F.i(k)
return struct.pack('>I2',#k).. k
end
`

const rows = `local aY=KEYS[1]
local bS,at,bZ=string.match(ARGV[1],'^(%d+) ?([%d.]*)(%a*)$')
bS,at=tonumber(bS),tonumber(at)
if bZ~='' then
for f=2,#ARGV do
if string.find(ARGV[f],'\\239',1,true)then
local ed=string.gsub(ARGV[f],'\\239\\158([\\128-\\191])','%1')
ARGV[f]=string.gsub(ed,'\\239\\159([\\128-\\191])',function(fo)
return string.char(string.byte(fo)+64)
end)
end
end
if string.find(bZ,'e',1,true)then
local dG=redis.pcall('INFO','memory')
local eR=type(dG)=='string' and string.match(dG,'maxmemory_policy:(allkeys[%a-]*)')
if eR and not string.find(dG,'maxmemory:0\\r',1,true)then
return redis.error_reply('EVICTS ' .. eR)
end
end
end
if at==nil then
local S=redis.call('TIME')
at=S[1]*1000+math.floor(S[2]/1000)
end
local el=false
local aw={}
local ac=false
local bX,ee
local co=false
local u=at
local e
local m=string.sub(aY,1,-6)
local g=redis.call
local F={}
local loadRest
setmetatable(F,{
__index=function(_,M)
local eM=loadRest
loadRest=nil
if eM then
eM()
end
return rawget(F,M)
end,
})
function F.a(a,v)
return m .. v .. ':' .. a.row.token
end
function F.d(what)
error(what .. ' is not as it was written')
end
function F.D(ai)
return type(ai)=='number' and ai>-1e15 and ai<1e15
end
function F.z(d,aq)
for f=1,#aq do
local ai=d[aq[f]]
if not(ai>-1e15 and ai<1e15)then
F.d(aq[f])
end
end
return d
end
F.aB={'tail','bytes','sent','delayed','later','number','amended','gone','reaps','groups','joining','late','latest','skew'}
F.dm={'behind','cut','scan','olds','ghosts','untidy','kept','laned','early','earlyBytes','holds','over','redrives','keepers'}
F.dn={'join','since','parksNext','parked','stops','kept','keepers','running','lanes','born'}
function F.cN(d,z)
local aV=false
for f=1,#z do
local ai=d[z[f]]
if ai~=nil then
aV=aV or{}
aV[z[f]]=ai
end
end
return aV
end
function F.g(d,M,by)
local q=(d[M] or 0)+by
d[M]=q~=0 and q or nil
end
function F.ec()
local aV=F.cN(e,F.dm)
local aM=e
return cmsgpack.pack(aM.tail,aM.bytes,aM.sent,aM.delayed,aM.later,aM.number,aM.amended,aM.gone,aM.reaps,aM.groups,aM.joining,aM.late,aM.latest,aM.skew,aM.timer or false,aM.reap or false,aV)
end
function F.eB(ca)
local bk,aa,eX,cg,cZ,s,em,av,eV,q,eI,eJ,be,fc,fh,eU,aV=cmsgpack.unpack(ca)
e={tail=bk,bytes=aa,sent=eX,delayed=cg,later=cZ,number=s,amended=em,gone=av,reaps=eV,groups=q,joining=eI,late=eJ,latest=be,skew=fc,timer=fh or nil,reap=eU or nil}
F.z(e,F.aB)
for k,ai in pairs(aV or{})do
e[k]=ai
end
if e.delayed>0 then
F.z(e,{'timer'})
end
end
F.dc={'cursor','passed','floor','trimmed','cleared','leased','out','waiting','blocked','outside','dead','acked','failed','latest'}
function F.ea(d)
local aV=F.cN(d,F.dn)
return cmsgpack.pack(d.token,d.cursor,d.passed,d.floor,d.trimmed,d.cleared,d.leased,d.out,d.waiting,d.blocked,d.outside,d.dead,d.acked,d.failed,d.latest,d.deadFor or false,aV,d.served or false)
end
function F.bI(M,ca)
local aC,bo,bG,ax,ef,cn,bq,aQ,ej,aD,dR,dy,ds,dA,be,cz,aV,eY=cmsgpack.unpack(ca)
local d={token=aC,cursor=bo,passed=bG,floor=ax,trimmed=ef,cleared=cn,leased=bq,out=aQ,waiting=ej,blocked=aD,outside=dR,dead=dy,acked=ds,failed=dA,latest=be,deadFor=cz or nil,served=eY}
F.z(d,F.dc)
if d.cursor>e.tail or type(d.token)~='string' then
F.d('a group')
end
if aV then
for k,ai in pairs(aV)do
d[k]=ai
end
d.join=d.join and F.z(d.join,{'from','bound','at','redrives'})
d.since=d.since and F.z(d.since,{'at','number'})
d.lanes=d.lanes and F.z(d.lanes,{'flows','ahead','again','lost','left'})
end
local a={name=M,row=d,changed=false}
aw[M]=a
return a
end
function F.j(...)
local z={...}
local aq={'queue'}
for f=1,#z do
aq[f+1]='group:' .. z[f]
end
local D=g('HMGET',aY,unpack(aq))
if D[1] then
F.eB(D[1])
else
e={}
for f=1,#F.aB do
e[F.aB[f]]=0
end
e.tail,e.number=1,1
end
local be=e.latest
local I
for f=1,#z do
I=aw[z[f]] or D[f+1] and F.bI(z[f],D[f+1])
if I and I.row.latest>be then
be=I.row.latest
end
end
u=at+e.skew
if u<be - 1000 then
e.skew=be - at
ac=true
u=be
end
return I or nil
end
function F.c()
if not el then
el=true
local dL=0
for _ in pairs(aw)do
dL=dL+1
end
if dL<e.groups then
local D=g('HGETALL',aY)
for f=1,#D,2 do
local M=string.match(D[f],'^group:(.*)$')
if M and not aw[M] then
F.bI(M,D[f+1])
end
end
end
end
return aw
end
function F.aT(a)
local d=a.row
if d.leased>d.out then
local A=g('ZRANGE',F.a(a,'leases'),0,0)[1]
if A then
local p=cmsgpack.unpack(A)
return math.min(p[1],d.cursor),p[8]
end
end
return d.cursor,d.passed
end
function F.am()
local dM=e.tail
for _,a in pairs(F.c())do
local ax=a.changed and F.aT(a)or a.row.floor
if ax<dM then
dM=ax
end
end
return dM
end
function F.bu(v,bn)
local q=g('ZCOUNT',m .. v,'-inf',bn)
if q>5000 then
q=5000
e.untidy=true
end
if q>0 then
g('ZREMRANGEBYRANK',m .. v,0,q - 1)
ac=true
end
return q
end
function F.ab(ax,cN)
local w=string.format('%.0f',ax)
if
cN and cN<200000
or g('XTRIM',m .. 'log','MINID','~',w,'LIMIT',200000)<200000/2
then
g('XTRIM',m .. 'log','MINID',w)
else
e.untidy=true
ac=true
end
local bn='(' .. w
if e.amended>0 then
e.amended=e.amended - F.bu('amend',bn)
end
if e.gone>0 then
e.gone=e.gone - F.bu('gone',bn)
end
if e.reaps>0 then
local bd=g('ZRANGEBYSCORE',m .. 'reaps','-inf',bn,'LIMIT',0,5000)
if #bd>0 then
g('ZREM',m .. 'expiry',unpack(bd))
e.reaps=e.reaps - F.bu('reaps',bn)
end
end
end
function F.l(wakes)
if co then
F.aS()
end
local aq={}
for M,a in pairs(aw)do
if a.changed then
local d=a.row
local ax,cn=F.aT(a)
d.floor=ax
if
ax~=d.trimmed
and(ax - d.trimmed>=64 or ax>=e.tail or cn - d.cleared>=1048576)
then
if e.groups>1 then
F.ab(F.am())
else
F.ab(ax,ax - d.trimmed)
end
d.trimmed=ax
d.cleared=cn
end
if u>d.latest then
d.latest=u
end
aq[#aq+1]='group:' .. M
aq[#aq+1]=F.ea(d)
end
end
if ac then
if u>e.latest then
e.latest=u
end
aq[#aq+1]='queue'
aq[#aq+1]=F.ec()
end
if #aq>0 then
g('HSET',aY,unpack(aq))
if wakes~=nil or ee then
redis.pcall('PUBLISH',m .. 'changed',(wakes and 'wake' or 'news')..(ee or ''))
end
end
end
`

const settling = `local bK=false
F.bC={a=5,v=5,b=6,r=8,k=9,p=7,e=7}
function F.em(a,v,fence,c,aA)
local O,d=F.x(a,c)
if not O or O.fence~=fence or v~='r' and v~='b' then
return false
end
F.ca(a,d)
if v=='r' then
local b=O.message
if b.keep and a.row.kept then
F.cb(a,c)
end
b.expires=nil
F.eo(b)
if a.row.parked and b.key then
F.dU(a,b)
end
if b.named then
local J=m .. 'ids'
g('HSETNX',J,b.id,F.C('s',c,b.named))
if F.G(g('HGET',J,b.id)).seq~=c then
b.keep=nil
F.cB(c,b.id,b.named)
end
end
F.ch(a,b,u+aA)
end
return true
end
function F.co(a,j,p,b)
local d,c=a.row,b.seq
if d.running then
F.aL(a,c)
end
if j then
F.aN(a,c,j)
else
F.ag(a,p,c,c)
F.Y(a,b)
end
end
function F.dP(a,receipt)
local d=a.row
local aC,s,c=string.match(receipt,'^(%w+)%.(%d+)%.(%d+)[lh]$')
s,c=tonumber(s),tonumber(c)
if aC~=d.token then
return false
end
local j=d.out>0 and F.o(a,c)
if j and j.lease==s then
return j.at>u
end
local p=d.leased>d.out and F.V(a,c)
return p and p.number==s and p.ends>u
end
function F.E(n)
return n and ARGV[n]~='' and ARGV[n] or nil
end
function F.bo(a,v,s,c,n)
local d=a.row
local j=d.out>0 and F.o(a,c)
local p
if not j or j.lease~=s then
j=nil
p=d.leased>d.out and F.V(a,c)
if not p or p.number~=s then
return false
end
end
local U=(j or p).attempt
if v=='e' then
local P=u+tonumber(ARGV[n])
local bt=F.E(n+1)
if bt then
F.dY(a,j and F.r(a,c)or F.u(c),s,bt)
end
if j and j.lane then
F.cd(a,c,j)
F.cx(a,c,j,P)
if j.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
elseif j then
g('ZADD',F.a(a,'ends'),P,F.b(c))
j.at=P
F.v(a,c,j)
else
F.ag(a,p,c,c)
local ew=F.X(p,c,c)
ew.ends=P
F.I(a,ew)
end
a.changed=true
return true
end
local b=j and F.r(a,c)or F.u(c)
if v=='r' then
local Q=u+tonumber(ARGV[n])
if not b.expires or b.expires>Q then
local eq=ARGV[n+1]=='1'
F.co(a,j,p,b)
F.y(a,b)
if eq then
d.failed=d.failed+1
end
F.ac(a,c,{at=Q,attempt=eq and U or U - 1,error=F.E(n+2),lane=b.lane})
return true
end
elseif v=='p' and(not b.expires or b.expires>u)then
F.co(a,j,p,b)
F.ed(a,b,{attempt=U,parked={reason=ARGV[n],data=F.E(n+1),at=at}})
return true
end
local eQ=d.parksNext
if v=='k' then
eQ=ARGV[n+3]=='1'
end
if eQ and v~='b' and b.key then
F.ar(a,b)
end
F.bk(a,j and{kind='held',side=j}or{kind='leased',lease=p},b)
if v~='b' then
d.failed=d.failed+1
end
if v=='b' then
if e.holds then
F.aU(a,b.lane,s,c,c)
end
d.acked=d.acked+1
if b.keep then
F.aG(a,b,U,{status='done',value=F.E(n)})
end
F.aI(b)
elseif v=='k' then
F.R(a,b,U,ARGV[n],F.E(n+1),tonumber(ARGV[n+2]))
else
F.R(a,b,U,'expired',v=='p' and ARGV[n] or F.E(n+2))
end
return true
end
function F.dy(a,s,A,I,W,cd)
local c=A
while c<=I do
local p,ek=F.V(a,c)
local E=I
if p and p.number==s then
E=math.min(I,p.last)
F.ag(a,p,c,E)
if e.holds and F.aU(a,nil,s,c,E)then
bK=true
end
a.row.acked=a.row.acked+E - c+1
if p.key then
F.w(a,p.key)
bK=true
end
if p.named then
for al=c,E do
local b=F.dN(al)
if b then
if b.keep then
F.aG(a,b,p.attempt,{status='done',value=F.E(cd and cd+al)})
end
F.aI(b)
end
end
end
W[#W+1]=string.rep('1',E - c+1)
else
if p or ek then
E=math.min(I,p and p.last or ek.first - 1)
end
if a.row.out>0 then
for al=c,E do
local aB=F.bo(a,'b',s,al,cd and cd+al)
bK=bK or aB
W[#W+1]=aB and '1' or '0'
end
else
W[#W+1]=string.rep('0',E - c+1)
end
end
c=E+1
end
end
function F.dx(a,n,W)
local aC,d=a.row.token,a.row
local aG,R,G,cd,z={},{},{},{},{}
while #R<1000 and ARGV[n]=='b' and ARGV[n+1]==aC do
local c=tonumber(ARGV[n+3])
if c<281474976710656 or ARGV[n+4]=='d' then
break
end
aG[#aG+1]=tonumber(ARGV[n+2])
R[#R+1]=c
G[#G+1]=F.b(c)
cd[#cd+1]=n+5
n=n+F.bC.b
end
local aN,cH=g('HMGET',F.a(a,'side'),unpack(G)),{}
for f=1,#R do
if aN[f] then
aN[f]=cmsgpack.unpack(aN[f])
z[#z+1]=aN[f].lane
end
end
F.L(a,z)
if e.holds then
F.bg(a,z)
end
local A,I
local function ex()
if A then
g('ZREMRANGEBYSCORE',F.a(a,'held'),A,I)
end
end
for f=1,#R do
local j,c,aB=aN[f],R[f],false
if j and j.lease==aG[f] and not cH[c] then
cH[c]=true
aB=true
if j.size and j.at>u and e.joining==0 then
if e.holds then
F.aU(a,j.lane,aG[f],c,c)
end
local h=F.k(a,j.lane)
h.size=h.size - 1
F.aO(h)
d.outside=d.outside - j.size
d.leased,d.out,d.acked=d.leased - 1,d.out - 1,d.acked+1
F.S(a,'unlends',G[f])
F.S(a,'unside',G[f])
if A and c==I+1 then
I=c
else
ex()
A,I=c,c
end
else
aB=F.bo(a,'b',aG[f],c,cd[f])
end
end
bK=bK or aB
W[#W+1]=aB and '1' or '0'
end
ex()
F.ah(a)
return n
end
function F.cP(a,n)
local W={}
while n<=#ARGV do
local v,aC,s,c=ARGV[n],ARGV[n+1],tonumber(ARGV[n+2]),tonumber(ARGV[n+3])
local dI=a and a.row.token==aC
local fn=F.bC[v]
if v=='b' and dI and c>=281474976710656 and ARGV[n+4]~='d' then
n,fn=F.dx(a,n,W),0
elseif v=='a' or v=='v' then
local I=tonumber(ARGV[n+4])
local q=I - c+1
if dI then
F.dy(a,s,c,I,W,v=='v' and n+5 - c)
else
W[#W+1]=string.rep('0',q)
end
if v=='v' then
n=n+q
end
else
local fm=ARGV[n+4]
local aB=dI
and(
fm=='d' and F.em(a,v,s,c,tonumber(ARGV[n+5]))
or fm~='d' and F.bo(a,v,s,c,n+5)
)
bK=bK or(aB and v~='e')
W[#W+1]=aB and '1' or '0'
end
n=n+fn
end
return table.concat(W)
end
function F.cV(a)
local d=a.row
if d.cursor - d.trimmed<=1024 and d.passed - d.cleared<=1048576 then
return
end
local aj,X=128,0
while aj>0 and X<1048576 and d.leased>d.out do
local A=g('ZRANGE',F.a(a,'leases'),0,0)[1]
if not A then
F.d('a lease')
end
local p=F.aa(A)
local cN=d.cursor - p.first
local cw=d.leased - d.out
local am=cN - cw
if
not(cN>1024 and am>cw)
and not(d.passed - p.bytes>1048576 and am>cw/8)
then
return
end
local c=p.first
F.aJ(a,p)
while c<=p.last and aj>0 and X<1048576 do
local b=F.u(c)
F.Y(a,b)
F.v(a,c,{lease=p.number,at=p.ends,attempt=p.attempt})
g('ZADD',F.a(a,'ends'),p.ends,F.b(c))
d.leased=d.leased+1
d.out=d.out+1
X=X+#b.record
aj=aj - 1
c=c+1
end
if c<=p.last then
F.I(a,F.X(p,c,p.last))
end
end
end
`

const show = `function F.cQ(i,H)
local bM=F.P(i,H)
if not bM then
return nil
end
local M,r=F.aq(i)
return{
M and 'n' .. M or '',
r and 'n' .. r or '',
H.reason or '',
H.since,
bM=='held' and H.ends and math.ceil(H.ends - u)or -1,
H.probe and 1 or 0,
bM=='probing' and 1 or 0,
}
end
function F.en()
local dW={}
if e.holds then
local Y=g('ZRANGE',m .. 'places',0,100 - 1)
F.N(Y)
for _,i in ipairs(Y)do
dW[#dW+1]=F.cQ(i,F.p(i))
end
end
return dW
end
`

const store = `function F.bc(I,S)
local t=F.b(I)
if g('ZADD',m .. 'expiry','LT',S,t)==1 then
g('ZADD',m .. 'reaps',I,t)
e.reaps=e.reaps+1
ac=true
end
F.O(S)
end
function F.bK(q,ap,N,n,aR)
local bk=e.tail
local I=bk+q - 1
local aL=cmsgpack.pack({bk,n,e.bytes,aR})
local w=string.format('%.0f-0',I)
if N then
g('XADD',m .. 'log',w,'h',aL,'b',ap,'c',cmsgpack.pack(N))
if N.expires then
local A
for _,S in pairs(N.expires)do
A=A and math.min(A,S)or S
end
F.bc(I,A)
end
else
g('XADD',m .. 'log',w,'h',aL,'b',ap)
end
e.tail=bk+q
e.bytes=e.bytes+#ap - 4*q
ac=true
end
F.cZ={'id','key','expires','max','named','at','keep','since'}
function F.dA(x,A,I)
local N
for _,cU in ipairs(F.cZ)do
for f=A,I do
local ai=x[f][cU]
if ai~=nil then
N=N or{}
N[cU]=N[cU] or{}
N[cU][f - A+1]=ai
end
end
end
return N
end
function F.bJ(x,n,aR)
local o=1
while o<=#x do
local P,aX,X,E={},{},0,o
while E<=#x and E - o<256 do
local aI=x[E].record
if E>o and X+#aI>65536 then
break
end
X=X+#aI
P[#P+1]=struct.pack('<I4',X)
aX[#aX+1]=aI
E=E+1
end
F.bK(E - o,table.concat(P).. table.concat(aX),F.dA(x,o,E - 1),n,aR)
o=E
end
end
function F.s()
return e.timer and e.timer<=u
end
function F.aX(a,n,s)
local bj=a.row.since
return bj and n<=bj.at and s<bj.number
end
function F.eh(bk,Q,bx)
for _,a in pairs(F.c())do
local d=a.row
local bj=d.since
if bj then
local bG,K=0,0
while 2*K<#Q and F.aX(a,tonumber(Q[2*K+2]),tonumber(Q[2*K+1]))do
K=K+1
bG=bG+(bx[K] and 0 or 1)
end
if d.cursor==bk then
d.cursor=bk+bG
end
if 2*K<#Q or not e.timer or e.timer>bj.at then
d.since=nil
e.late=e.late - 1
end
a.changed=true
end
end
end
function F.as(T)
if not F.s()then
return 0
end
local Q=g('ZRANGEBYSCORE',m .. 'timers','-inf',u,'WITHSCORES','LIMIT',0,T)
local x,z,G,X={},{},{},0
local by,bx={},{}
while 2*#x<#Q and X<8388608 do
local bP=#x>0 and math.max(1,X/#x)or 8388608/16
local E=math.min(#Q/2,#x+math.ceil((8388608 - X)/bP))
local aK={}
for f=#x+1,E do
aK[#aK+1]=Q[2*f - 1]
end
local D=g('HMGET',m .. 'delayed',unpack(aK))
for f=1,#D do
local b=cmsgpack.unpack(D[f])
X=X+#b.record
G[#G+1]=aK[f]
z[#z+1]=b.id
x[#x+1]=b
bx[#x]=b.lane~=nil
if b.expires then
by[#by+1]=aK[f]
end
end
end
local bk=e.tail
if #x>0 then
local D=g('HMGET',m .. 'ids',unpack(z))
local J,dg,dd,Y={},{},{},{}
for f=1,#z do
local c
if bx[f] then
c=281474976710656+e.number
e.number=e.number+1
x[f].seq=c
dd[#dd+1]=x[f]
Y[#Y+1]=f
else
c=bk+#dg
dg[#dg+1]=x[f]
end
J[2*f - 1]=z[f]
J[2*f]=string.format('s%.0f',c)..(D[f] and string.match(D[f],'%+.*$')or '')
end
g('HSET',m .. 'ids',unpack(J))
g('ZREM',m .. 'timers',unpack(G))
g('HDEL',m .. 'delayed',unpack(G))
if #by>0 then
g('ZREM',m .. 'lapse',unpack(by))
end
F.bJ(dg,at,'')
if #dd>0 then
F.bm(dd,function(a,f)
return not F.aX(a,tonumber(Q[2*Y[f]]),tonumber(Q[2*Y[f] - 1]))
end)
end
e.delayed=e.delayed - #x
e.later=e.later - X
for f=2*#x+1,#Q do
Q[f]=nil
end
end
e.timer=tonumber(g('ZRANGE',m .. 'timers',0,0,'WITHSCORES')[2])
ac=true
if e.late>0 then
F.eh(bk,Q,bx)
end
return #x
end
`

const turns = `function F.dV(r)
local dj=aS.rules or{}
local y={}
local function dt(limits)
for _,bv in ipairs({'concurrency','rate','weight'})do
if y[bv]==nil then
y[bv]=limits[bv]
end
end
end
dt(dj.names and dj.names[r] or{})
for _,au in ipairs(dj.prefixes or{})do
if string.sub(r,1,#au[1])==au[1] then
dt(au[2])
end
end
dt(dj)
return y
end
local ei={}
local dl=false
function F.dW(h)
if h.limits then
return
end
ei[#ei+1]=h
F.k(a,h.lane)
h.limits=F.dV(h.lane)
local cK=h.limits.rate
if cK then
h.each=cK.perMs/cK.count
h.spare=((cK.burst or cK.count)- 1)*h.each
if h.woken and h.full then
h.full=math.min(h.full,u+h.spare+h.each)
end
end
h.woken=false
h.heldFor,h.probes=F.cm(a,h.lane)
h.isOut=#h.probes>0 and F.cI(a,h.probes)~=nil
end
function F.cp(h)
return h.each and h.full and h.full - h.spare>u
end
function F.cs(h)
return h.isOut or h.limits.concurrency and h.live>=h.limits.concurrency
end
function F.ej()
for _,h in ipairs(ei)do
if F.cp(h)then
h.rest,h.byLive=math.min(h.full - h.spare,u+60000),false
elseif F.cs(h)then
h.rest,h.byLive=u+60000,true
else
h.rest,h.byLive=nil,false
end
end
end
function F.cM(r)
return '[' .. r .. F.H,'(' .. r .. F.H .. '\\255'
end
function F.dX(h,bV)
local bg=h.line
if not bg or h.place==#bg then
if bg then
F.ah(a)
end
local o,E=F.cM(h.lane)
bg=g('ZRANGEBYLEX',F.a(a,'line'),o,E,'LIMIT',0,math.max(1,math.min(bV,256)))
if #bg==0 then
F.d('a lane')
end
h.line,h.place=bg,0
end
h.place=h.place+1
return tonumber(string.sub(bg[h.place],-16))
end
function F.ew(h)
local o,E=F.cM(h.lane)
local t=g('ZRANGEBYLEX',F.a(a,'again'),o,E,'LIMIT',0,1)[1]
if not t then
F.d('a lane')
end
local c=tonumber(string.sub(t,-16))
local b,j=F.ak(a,c)
if not j.lease then
F.aP(a,c,j)
return cc(b,j.attempt,true,F.m(b),j.error)
end
F.aN(a,c,j)
d.failed=d.failed+1
return cc(b,j.attempt,true,F.m(b),dr)
end
function F.eq(b,ab)
if d.stops and F.cv(a,b)then
return true
end
if F.al(a,ab)and not F.U(a,ab,b.seq)then
F.cR(a,b)
return true
end
return false
end
function F.ex(h,bV)
local c=F.dX(h,bV)
if d.join and c>d.join.from then
h.isLate=true
return false
end
local b=F.r(a,c)
if not b then
F.d('a message')
end
F.cy(a,h,c)
local ab=F.m(b)
if ab and eg(b,0)then
ab=F.U(a,ab,c)and ab or nil
elseif ab and F.eq(b,ab)then
K=K+1
aD=aD+(ao>0 and 1 or 0)
return false
elseif ab then
g('HSET',F.a(a,'heads'),ab,F.b(c))
end
return cc(b,0,true,ab)
end
function F.ez(h,bV)
while h.again+h.ahead>0 do
if K>=1024 or aD>=256 then
dl=true
return false
end
local dH=h.again>0 and(h.ahead==0 or h.isLate or h.last~='again')
if h.isLate and not dH then
return false
end
local bq
if dH then
bq=F.ew(h)
else
bq=F.ex(h,bV)
end
if bq then
h.last=dH and 'again' or 'first'
return true
end
end
return false
end
function F.dK(h,T,bV)
local bw=0
while bw<T and aJ()>0 do
if h.heldFor or F.cp(h)or F.cs(h)or not F.ez(h,bV)then
return bw,not dl
end
bw=bw+1
if h.each then
h.full=math.max(h.full or 0,h.waited and u - h.each or u)+h.each
end
h.waited=false
if #h.probes>0 then
F.cC(a,h.probes,cE,bS)
h.isOut=true
end
end
return bw,h.again+h.ahead==0
end
function F.el(n)
if bC then
local o,E='[' .. aS.only,'(' .. aS.only .. '\\255'
if n and string.sub(n,1,#aS.only)==aS.only then
return{{'(' .. n,E},{o,'[' .. n}}
end
return{{o,E}}
end
if not n then
return{'',{'-','+'}}
elseif n=='' then
return{{'-','+'},''}
end
return{{'(' .. n,'+'},'',{'-','[' .. n}}
end
function F.dR(r)
return g('ZSCORE',F.a(a,'ready'),r)
end
function F.cA(n)
local bD,i={},0
local dZ,s
if aS.names then
local fM=#aS.names>0 and g('ZMSCORE',F.a(a,'ready'),unpack(aS.names))or{}
for f=1,#aS.names do
if fM[f] then
bD[#bD+1]=aS.names[f]
end
end
dZ,s={},1
else
dZ,s=F.el(n),1
end
return function()
while i==#bD do
local aO=dZ[s]
if not aO then
return nil
end
if aO=='' then
s=s+1
return ''
end
bD,i=g('ZRANGEBYLEX',F.a(a,'ready'),aO[1],aO[2],'LIMIT',0,64),0
if #bD==0 then
s=s+1
else
aO[1]='(' .. bD[#bD]
F.L(a,bD)
if e.holds then
F.bg(a,bD)
end
end
end
i=i+1
return bD[i]
end
end
function F.ey()
local aZ=bC and{at=aS.at,left=aS.left or 0}or F.h(a)
local eH=d.lanes and d.lanes.flows>0
local aW=eH and math.max(1,g('ZCARD',F.a(a,'ready')))or 1
local bV=math.ceil(aJ()/aW)
local function eh(r,T)
local bw,am
if r=='' then
local bb,ft=ao,an
dw,an=ao+1,false
ec()
T,bw,am=1,ao - bb,ao==bb
dl=am and(an or aJ()>0 and d.cursor<e.tail)
dw,an=math.huge,an or ft
else
local h=F.ai(a,r)
F.dW(h)
T=T or h.limits.weight or 1
bw,am=F.dK(h,T,math.max(bV,T))
end
if bw>0 then
aZ.at,aZ.left=r,am and 0 or T - bw
else
K=K+1
end
return not am
end
local function da()
local eG=dl or K>=1024 or ao>=500
an=an or eG
return aJ()>0 and not eG
end
if eH or not bC then
if aZ.at and aZ.left>0 and da()and F.dR(aZ.at)then
eh(aZ.at,aZ.left)
end
local bU={}
local fE=F.cA(aZ.at)
while da()do
local r=fE()
if not r then
break
end
if eh(r)then
bU[#bU+1]=r
end
end
while #bU>0 and da()do
local bT={}
if #bU==1 and bU[1]=='' then
if ec()then
aZ.at,aZ.left='',0
end
else
for f=1,#bU do
if da()and eh(bU[f])then
bT[#bT+1]=bU[f]
end
end
end
bU=bT
end
F.ej()
end
if bC then
V[5]=aZ.at and string.format('%.0f.%s',aZ.left,aZ.at)or 'none'
end
end
function F.dQ()
if not(d.lanes and d.lanes.flows>0)then
return false
end
if not bC then
return g('ZCARD',F.a(a,'ready'))>0
end
return F.cA()()~=nil
end
`

/** One script: its text, and the digest by which the server knows it. */
export interface Script {
  readonly sha: string
  readonly text: string
}

export const SCRIPTS: Readonly<Record<'append' | 'cancel' | 'claim' | 'deleteGroup' | 'delete' | 'hold' | 'lanes' | 'list' | 'purge' | 'release' | 'results' | 'resume' | 'retryNow' | 'settle' | 'stats' | 'tidy', Script>> = {
  append: {
    sha: '45b3e62b4d6a8762318dbcbb2238dc47e9a953e4',
    text: `#!lua

` + rows + log + store + `local aR,an,ct,db=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
local n=7
if ARGV[6]=='0' then
F.j()
if an=='' and not e.scan and not e.untidy and not ct and not db and not(e.laned and F.s())then
F.as(500)
if not F.s()then
local dB=e.tail
for f=n,#ARGV,2 do
local q=tonumber(ARGV[f])
e.sent=e.sent+q
F.bK(q,ARGV[f+1],nil,at,aR)
end
F.l(true)
return{'',dB,e.number}
end
end
end
` + leases + places + moves + ids + find + drop + group + counts + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
if ARGV[6]~='0' then
local _
_,n=F.cD(6)
end
local function fd(L,aI,w)
return{
id=w,
key=L.key,
lane=L.lane,
expires=L.expiresInMs and u+L.expiresInMs,
max=L.maxAttempts,
named=w and(L.dedupeMs or 0),
keep=L.keepMs,
record=aI,
}
end
local function dX(af)
return af.since or math.min(u,af.at+e.skew)
end
local function er(L,af)
local aA=L.delayMs or 0
if L.maxDelayMs and aA>0 then
aA=math.max(0,math.min(aA,L.maxDelayMs,dX(af)+L.maxDelayMs - u))
end
return aA
end
local function fH(b,s)
local t,af=F.b(s),F.A(s)
e.later=e.later+#b.record - #af.record
ac=true
g('HSET',m .. 'delayed',t,cmsgpack.pack(b))
g('ZREM',m .. 'lapse',t)
if b.expires then
g('ZADD',m .. 'lapse',b.expires,t)
end
g('HSET',m .. 'ids',b.id,F.C('t',s,b.named))
end
local function fG(b,c)
local Y={}
for _,a in pairs(F.c())do
Y[a]=F.t(a,c)
end
b.seq=c
local l=F.q(c)
if l then
F.bL(b)
if b.expires then
F.bc(l.last,b.expires)
end
end
local function eS(k)
g('ZREMRANGEBYSCORE',k,c,c)
g('ZADD',k,c,cmsgpack.pack(b))
end
for a,i in pairs(Y)do
if i.kind=='waiting' or i.kind=='blocked' or i.kind=='parked' or i.kind=='lined' then
local af=F.r(a,c)
a.row.outside=a.row.outside+#b.record - #af.record
a.changed=true
eS(F.a(a,'held'))
g('ZREM',F.a(a,'reap'),F.b(c))
F.y(a,b)
if i.kind=='waiting' then
F.v(a,c,{at=i.side.at,attempt=0,lane=i.side.lane})
elseif i.kind=='parked' then
F.cU(a,b)
end
elseif i.kind=='unjoined' then
for _,k in ipairs(a.row.join.keys)do
if g('ZCOUNT',m .. k,c,c)>0 then
eS(m .. k)
end
end
end
end
local bc=e.early and F.J(c)
if bc then
F.bX(bc)
F.bm({b})
end
g('HSET',m .. 'ids',b.id,F.C('s',c,b.named))
end
local function fs(c)
local bs=F.u(c)
if bs and bs.keep then
bs.keep=nil
F.bL(bs)
if bs.expires then
F.bc(F.q(c).last,bs.expires)
end
end
for _,a in pairs(F.c())do
if a.row.running then
F.aL(a,c)
end
local k=F.aw(a,c)or F.a(a,'held')
local b=F.M(k,c)
if b and b.keep then
b.keep=nil
g('ZREMRANGEBYSCORE',k,c,c)
g('ZADD',k,c,cmsgpack.pack(b))
end
end
end
local function eC(b,L)
return b.key~=L.key or b.lane~=L.lane
end
local dU,dS={},{}
local function fA(J)
for o=1,#J,1000 do
local E=math.min(#J,o+999)
local D=g('HMGET',m .. 'ids',unpack(J,o,E))
local cb=g('ZMSCORE',m .. 'past',unpack(J,o,E))
for f=o,E do
dU[J[f]]=D[f - o+1]
dS[J[f]]=cb[f - o+1] and tonumber(cb[f - o+1])
end
end
end
local function fC(L)
local w=L.id
local d=dU[w]
local y,ah=nil,0
if d then
y,ah=F.G(d)
else
y=F.ci(w)
end
local cb=not L.replace and dS[w] and dS[w]>u
if y and y.number then
local t=F.b(y.number)
local Q=tonumber(g('ZSCORE',m .. 'timers',t))
if Q then
if not L.replace then
return 'd'
end
local af=F.A(y.number)
local aA=er(L,af)
local dP=Q>u or aA>0 or eC(af,L)
return dP and 'S' or 'r',{delay=aA,since=dX(af)}
end
elseif y then
local c=y.seq
local Y,aU,cu={},true,false
for _,a in pairs(F.c())do
local i=F.t(a,c)
Y[a]=i
cu=cu or i~=nil
aU=aU and i~=nil and i.kind~='leased' and i.kind~='held'
end
if e.groups==0 then
cu=e.early and F.J(c)or F.aW(c)
end
if cu then
if not L.replace then
return 'd'
end
if not aU then
return 's',{old=c,own=ah}
end
local bs=e.early and F.J(c)or F.u(c)
for a,i in pairs(Y)do
if i.kind~='ahead' then
bs=F.ba(a,i,c)
end
end
local aA=er(L,bs)
local dP=aA>0 or eC(bs,L)
return dP and 'S' or 'r',{delay=aA,since=dX(bs)}
end
end
if d then
local S=(e.cut or u)+ah
if S>u then
return not L.replace and 'd' or 's',{time=S}
end
end
return cb and 'd' or 's'
end
local cO=an~='' and cjson.decode(an)
local aX,bZ,aE,cH={},{},{},{}
for f=n,#ARGV,2 do
local l={count=tonumber(ARGV[f]),blob=ARGV[f+1]}
for i=1,l.count do
aX[#aX+1]=F.bh(l,i)
end
end
local ae={}
for _,L in ipairs(cO or{})do
if L~=0 and L.id then
ae[#ae+1]=L.id
end
end
fA(ae)
local x,aa=0,0
for f=1,#aX do
local L=cO and cO[f] or 0
local br='s'
if L~=0 and L.id then
if cH[L.id] then
br='d'
else
br,aE[f]=fC(L)
end
cH[L.id]=true
end
if br=='s' then
x=x+1
aa=aa+#aX[f]
end
bZ[f]=br
end
if(ct or db)and x>0 then
local cw,X=F.dC(ct and ct - x),F.bP()
if ct and cw+x>ct then
return{'q','maxMessages',cw,x}
end
if db and X+aa>db then
return{'q','maxBytes',X,aa}
end
end
F.bt()
F.as(math.min(4*500,500+#aX))
local cW=F.s()
local dB,fr=e.tail,e.number
local cf,J,z,D,cP,by,bx={},{},{},{},{},{},{}
for f=1,#aX do
local L=cO and cO[f] or 0
local br,bN=bZ[f],aE[f] or{}
if L==0 and not cW then
cf[#cf+1]={record=aX[f]}
elseif br=='s' or br=='S' then
if L==0 then
L={}
end
if bN.old then
F.cB(bN.old,L.id,bN.own)
if not dU[L.id] then
fs(bN.old)
end
end
if bN.time then
F.bj(L.id,bN.time)
end
if br=='S' then
F.bW(L.id,F.B(L.id))
end
if L.id then
z[#z+1]=L.id
end
local b=fd(L,aX[f],L.id)
e.laned=e.laned or b.lane~=nil or nil
local aA=bN.delay or L.delayMs or 0
b.since=bN.since
if aA>0 or cW then
local s=e.number
local t=F.b(s)
local Q=u+aA
if aA==0 then
Q=math.max(u,e.behind or 0)
e.behind=Q
end
b.at=at
if not b.id then
b.id,b.named=F.aZ(aR,s,1),0
else
J[#J+1]=b.id
J[#J+1]=F.C('t',s,b.named)
end
D[#D+1]=t
D[#D+1]=cmsgpack.pack(b)
cP[#cP+1]=Q
cP[#cP+1]=t
if not e.timer or Q<e.timer then
e.timer=Q
end
if b.expires then
by[#by+1]=b.expires
by[#by+1]=t
end
e.number=s+1
e.delayed=e.delayed+1
e.later=e.later+#b.record
e.sent=e.sent+1
bZ[f]=br=='s' and 'l' or 'L'
elseif L.lane then
local s=e.number
b.seq,b.at=281474976710656+s,at
if not b.id then
b.id=F.aZ(aR,s,1)
else
J[#J+1]=b.id
J[#J+1]=F.C('s',b.seq,b.named)
end
bx[#bx+1]=b
e.number=s+1
e.sent=e.sent+1
bZ[f]=br=='s' and 'l' or 'L'
else
cf[#cf+1]=b
if L.id then
J[#J+1]=L.id
J[#J+1]=F.C('s',e.tail+#cf - 1,b.named)
end
end
elseif br=='r' then
local b=fd(L,aX[f],L.id)
local y=F.B(L.id)
b.at,b.since=at,bN.since
if y.number then
fH(b,y.number)
else
fG(b,y.seq)
end
end
end
local function di(command,v,arguments)
for o=1,#arguments,1000 do
g(command,m .. v,unpack(arguments,o,math.min(#arguments,o+999)))
end
end
di('HSET','ids',J)
di('HSET','delayed',D)
di('ZADD','timers',cP)
di('ZADD','lapse',by)
if e.kept or e.keepers then
F.dJ(z)
end
e.sent=e.sent+#cf
ac=true
F.bJ(cf,at,aR)
if #bx>0 then
F.bm(bx)
end
F.l(true)
return{table.concat(bZ),dB,fr}
`,
  },
  cancel: {
    sha: '34a5e8196825de3fbd2fb4eb3b174aeaf31661c6',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + drop + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
F.j()
local W={}
for f=2,#ARGV do
local y=F.B(ARGV[f])
W[#W+1]=y and F.bW(ARGV[f],y)and '1' or '0'
end
F.eg()
F.l(true)
return table.concat(W)
`,
  },
  claim: {
    sha: 'bf9877e60d611f9e8e0ef28567d4bdd839f2f844',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + expire + group + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local dr='sthe lease ended before the delivery was settled'
local bf,fz,fB=math.min(tonumber(ARGV[2]),10000),tonumber(ARGV[3]),tonumber(ARGV[4])
local a,bJ=F.cD(9)
local d=a.row
d.deadFor=tonumber(ARGV[5])
d.parksNext=ARGV[6]=='1' or nil
local aS=ARGV[7]~='' and cjson.decode(ARGV[7])or{}
local bC=aS.only~=nil or aS.names~=nil
local aB=F.cP(a,bJ)
local eE=ARGV[8]~='' and not F.dP(a,ARGV[8])
if e.scan or e.untidy then
F.bt()
end
local K,an=F.es(#aB),false
if e.reap and e.reap<=u then
an=true
end
if d.join then
local fv=d.join.lanes~=nil
local dn=F.cT(a)
if fv and d.join and not d.join.lanes and dn<500/2 then
dn=dn+F.cT(a)
end
K=K+dn
end
if e.over and e.over<=u and F.eu()then
an=true
end
if(e.laned or bC)and F.as(500)>0 and F.s()then
an=true
end
local Z=d.lanes
if Z and Z.flows>0 and F.eD(a)then
an=true
end
if co then
F.aS()
end
local P=u+fz
local V={d.token,bS,-1,aB,''}
local ao,aa=0,0
a.changed=true
local cp,aT=nil,{}
if e.holds then
cp,aT=F.cm(a)
end
local cJ=#aT>0 and F.cI(a,aT)
if cp or cJ or eE then
bf=0
elseif #aT>0 then
bf=math.min(bf,1)
end
local dw=math.huge
local cE
local function aJ()
if aa>=8388608 or d.join and d.join.bound<281474976710656 then
return 0
end
return math.min(bf,dw)- ao
end
local aO
local bb=0
local function dC()
if aO then
F.I(a,aO)
aO=nil
end
end
local function p(A,I,U,ae,k)
if aO and not k and aO.last==A - 1 and aO.attempt==U then
aO.last=I
aO.named=aO.named or ae
return
end
dC()
aO={first=A,last=I,ends=P,number=bS,attempt=U,named=ae,key=k,bytes=bb}
if k then
dC()
end
end
local function eg(b,U)
if b.expires and b.expires<=u then
return 'expired'
end
if U>=(b.max or fB)then
return 'exhausted'
end
end
local function cc(b,U,aP,k,bI)
local c=b.seq
local bH=eg(b,U)
if bH then
K=K+2
if aP then
F.bY(a,b)
end
if d.parksNext and b.key then
F.ar(a,b)
end
F.w(a,k)
F.R(a,b,U,bH,bI,d.deadFor)
return false
end
cE=c
if aP then
local j={lease=bS,at=P,attempt=U+1,lane=b.lane}
if b.lane then
j.expires=b.expires
j.size=not b.key and not b.named and not b.keep and #b.record or nil
F.cx(a,c,j,P,true)
else
g('ZADD',F.a(a,'ends'),P,F.b(c))
F.v(a,c,j)
end
d.leased=d.leased+1
d.out=d.out+1
if b.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
else
p(c,c,U+1,b.named~=nil or b.keep~=nil,k)
end
ao=ao+1
aa=aa+#b.record
V[#V+1]={
c,
aP and 'h' or 'l',
b.at,
b.id,
b.key or '',
b.max or 0,
U+1,
bI or '',
b.record,
b.keep or b.lane and 0,
b.lane,
}
return true
end
local function fS()
if d.leased==0 then
return
end
while aJ()>0 do
local t=g('ZRANGEBYSCORE',F.a(a,'ends'),'-inf',u,'LIMIT',0,1)[1]
if not t then
break
end
if K>=1024 then
an=true
break
end
if string.match(t,'^%d+$')then
local c=tonumber(t)
local b,j=F.ak(a,c)
g('ZREM',F.a(a,'ends'),t)
d.leased=d.leased - 1
d.out=d.out - 1
d.failed=d.failed+1
cc(b,j.attempt,true,b.key,dr)
else
local af=F.aa(t)
F.aJ(a,af)
bb=af.bytes
local c=af.first
while c<=af.last and aJ()>0 and K<1024 do
d.failed=d.failed+1
cc(F.u(c),af.attempt,false,af.key,dr)
c=c+1
end
if c<=af.last then
F.I(a,F.X(af,c,af.last))
end
end
end
end
local function fe()
while d.waiting>0 and aJ()>0 do
local Q=g('ZRANGEBYSCORE',F.a(a,'due'),'-inf',u,'LIMIT',0,math.min(aJ(),256))
if #Q==0 then
break
end
if K>=1024 then
an=true
break
end
for _,t in ipairs(Q)do
if aJ()==0 then
return
end
local c=tonumber(t)
local b,j=F.ak(a,c)
g('ZREM',F.a(a,'due'),t)
d.waiting=d.waiting - 1
cc(b,j.attempt,true,b.key,j.error)
end
end
end
local aD=0
local function fR(l,o,az,av)
local f=o
while f<=l.count and aJ()>0 and K<1024 do
local c=l.first+f - 1
if av and av[c] then
K=K+0.25
else
local b=az and az[c] or F.W(l,f)
local k=b.key
if not k or eg(b,0)then
cc(b,0,false)
elseif F.ep(a,b)then
K=K+1
if ao>0 then
aD=aD+1
end
else
g('HSET',F.a(a,'heads'),k,F.b(c))
cc(b,0,false,k)
end
end
f=f+1
end
return f
end
local function fT(l,o)
local E=math.min(l.count,o+aJ()- 1)
local X=F.bp(l,o,E)
local N=l.columns
local J,ah,ae,cC='','',false,nil
if N then
if N.id then
J={}
for f=o,E do
J[#J+1]=N.id[f] or ''
end
for f in pairs(N.named or{})do
ae=ae or(f>=o and f<=E)
end
end
if N.max then
ah={}
for f=o,E do
ah[#ah+1]=N.max[f] or 0
end
end
if N.keep then
cC,ae={},true
for f=o,E do
cC[#cC+1]=N.keep[f] or 0
end
end
end
local ap=l.blob
local P=4*l.count
local du=F.Z(ap,o)
if o>1 or E<l.count then
ap=string.sub(ap,4*o - 3,4*E).. string.sub(ap,P+du+1,P+du+X)
end
local A=l.first+o - 1
cE=A
V[#V+1]={A,E - o+1,l.at,l.base,J,ah,du,ap,cC}
p(A,l.first+E - 1,1,ae)
ao=ao+E - o+1
aa=aa+X
return E+1
end
local function ff()
local bO,dY=1,0
while aJ()>0 and d.cursor<e.tail do
if K>=1024 or aD>=256 or dY>=64 then
an=true
return
end
local en=aE and d.cursor>=aE.first and d.cursor<=aE.last
local ag=en and{aE}or F.bl(d.cursor,bO)
if #ag==0 then
F.d('the log')
end
for _,au in ipairs(ag)do
if aJ()==0 or K>=1024 then
break
end
local l=en and aE or F.at(au)
aE=l
local o=math.max(d.cursor,l.first)
local i=o - l.first+1
local az=F.af(o,l.last)
local av,q=F.aj(o,l.last)
local N=l.columns
bb=l.bytes
if q==l.last - o+1 then
dY=dY+1
i=l.count+1
elseif az or av or(N and(N.key or N.expires or N.at))then
i=fR(l,i,az,av)
else
i=fT(l,i)
end
d.cursor=l.first+i - 1
d.passed=l.bytes+(i>l.count and F.bp(l,1,l.count)or 0)
bO=math.min(16,math.max(1,math.ceil(aJ()/l.count)))
end
end
end
local function ec()
local bb=ao
fS()
fe()
ff()
local dO=0
while dO<1024 and aJ()>0 and d.cursor==e.tail and F.s()do
dO=dO+F.as(math.min(500,math.max(64,aJ())))
ff()
end
fe()
return ao>bb
end
local fg=bC or Z~=nil and Z.flows>0
if fg then
` + turns + `F.ey()
else
if ec()and Z then
Z.at,Z.left='',0
end
end
dC()
if #aT>0 and cE then
F.cC(a,aT,cE,bS)
end
d.served=d.served or ao>0
F.cV(a)
if bX then
F.cw()
end
F.cj()
if co then
F.aS()
end
local function dc(next,S)
return next and S and math.min(next,S)or next or S
end
local fw=aJ()<=0 and not cp and not cJ
if eE then
V[3]=-2
elseif
an
or d.join
or fw and(not bC and d.cursor<e.tail or fg and F.dQ())
then
V[3]=0
else
local next
if cp or cJ then
next=cp and math.max(cp,cJ or 0)or cJ
else
next=e.timer
if d.waiting>0 and not bC then
next=dc(next,tonumber(g('ZRANGE',F.a(a,'due'),0,0,'WITHSCORES')[2]))
end
if d.leased>0 and not bC then
next=dc(next,tonumber(g('ZRANGE',F.a(a,'ends'),0,0,'WITHSCORES')[2]))
end
if d.lanes and d.lanes.flows>0 then
for _,v in ipairs({'rests','lends','wake'})do
next=dc(next,tonumber(g('ZRANGE',F.a(a,v),0,0,'WITHSCORES')[2]))
end
end
next=dc(next,e.over)
end
if next and next<math.huge then
V[3]=math.max(0,math.ceil(next - u))
end
end
if #aB>0 then
F.l(bK)
else
F.l()
end
return V
`,
  },
  deleteGroup: {
    sha: '1584c2cc695765e3ca6917b03b6780720d916fae',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + holds + `end
local a=F.j(ARGV[2])
if e.holds then
F.dE(ARGV[2])
end
if not a then
if ac then
F.l(true)
end
return 0
end
F.c()
aw[a.name]=nil
e.groups=e.groups - 1
ac=true
g('HDEL',aY,'group:' .. a.name)
F.bw(a)
if e.groups==0 then
F.ce()
else
F.ab(F.am())
F.bT()
end
if e.scan then
F.aE(500)
end
F.l(true)
return(e.scan or e.untidy)and 1 or 0
`,
  },
  delete: {
    sha: 'f8fa18209d155e1180be40eb979d10288ff3368e',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + group + empty + `if not F.cO()then
return F.cg(2)
end
e.joining=0
for _,a in pairs(aw)do
a.row.join=nil
F.bw(a)
end
for k in pairs(e.ghosts or{})do
g('UNLINK',m .. k)
end
F.bv(F.bB)
F.bv(F.di)
redis.pcall('PUBLISH',m .. 'changed','wake')
return 0
`,
  },
  hold: {
    sha: '146717c918c2ba00e8ba4d4e34c2b2d01c6c5ed0',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.j()
local i=F.f(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local eN=tonumber(ARGV[4])
F.ap(i,{since=at,ends=eN and u+eN,reason=ARGV[5]~='' and ARGV[5] or nil,probe=ARGV[6]=='1'})
F.au(i)
F.l(false)
`,
  },
  lanes: {
    sha: '9171fdad99d8e14916bd4ed5d16c1ed19aba7a6b',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + lanes + holds + show + moves + ids + group + `local aE=F.j(ARGV[2])
local a=aE or F.aV(ARGV[2],'','earliest')
local ak,bf=ARGV[3],math.min(tonumber(ARGV[4]),500)
local o,E='[' .. ak,'(' .. ak .. '\\255'
local cT=string.match(ARGV[5],'^n(.*)$')
local z,ck={},{}
local function cB(a,b)
for f=1,math.min(#a,#b)do
local al,ar=string.byte(a,f),string.byte(b,f)
if al~=ar then
return al<ar
end
end
return #a<#b
end
local function bA(k,aR)
local fD=cT and '(' .. aR .. cT or '[' .. aR .. ak
local G=g('ZRANGEBYLEX',k,fD,'(' .. aR .. ak .. '\\255','LIMIT',0,bf+1)
for _,t in ipairs(G)do
local M=string.sub(t,#aR+1)
if not ck[M] then
ck[M]=true
z[#z+1]=M
end
end
end
local dx={}
local function q(r)
dx[r]=(dx[r] or 0)+1
local fx=string.sub(r,1,#ak)==ak and(not cT or cB(cT,r))
if fx and not ck[r] then
ck[r]=true
z[#z+1]=r
end
end
if e.laned and F.s()then
local Q=g('ZRANGEBYSCORE',m .. 'timers','-inf',u,'WITHSCORES','LIMIT',0,2000)
for f=1,#Q,2 do
local b=cmsgpack.unpack(g('HGET',m .. 'delayed',Q[f]))
if b.lane and not F.aX(a,tonumber(Q[f+1]),tonumber(Q[f]))then
q(b.lane)
end
end
end
local B=a.row.join
if B and B.lanes then
F.ao(B)
end
local K,eB=0,true
while B and B.bound>281474976710656 do
if K>=2000 then
eB=false
break
end
local x,as=F.av(a,2000)
for _,b in ipairs(x)do
q(b.lane)
end
K=K+#x+1
if as>=B.bound then
break
end
B.from=as - 1
end
if a.row.lanes then
bA(F.a(a,'lanes'),'')
end
local bT={}
if not aE and not eB then
for _,ar in pairs(F.c())do
bT[#bT+1]=ar
bA(F.a(ar,'lanes'),'')
end
end
if e.holds then
bA(m .. 'places',F.f(nil,''))
bA(m .. 'places',F.f(ARGV[2],''))
end
table.sort(z,cB)
local bd={}
if a.row.lanes then
local G=g('ZRANGEBYSCORE',F.a(a,'lends'),'-inf',u,'LIMIT',0,1000)
local aN=#G>0 and g('HMGET',F.a(a,'side'),unpack(G))or{}
for f=1,#G do
local r=aN[f] and cmsgpack.unpack(aN[f]).lane
if r then
bd[r]=(bd[r] or 0)+1
end
end
end
local function fJ(h,Y)
if h.ahead+h.again==0 then
return -1
end
local P=not h.byLive and h.rest or 0
for _,i in ipairs(Y)do
local H=F.p(i)
if F.P(i,H,a)=='held' then
P=math.max(P,H.ends or math.huge)
end
end
return P>u and P<math.huge and math.ceil(P - u)or -1
end
local V={#z>bf and bf>0 and 'n' .. z[bf] or ''}
for f=1,math.min(bf,#z)do
local r=z[f]
local h=F.ai(a,r)
local X=h.size+(dx[r] or 0)
for _,ar in ipairs(bT)do
X=math.max(X,F.ai(ar,r).size)
end
local cV,Y={},{F.f(nil,r),F.f(ARGV[2],r)}
local cj=h.live -(bd[r] or 0)
for _,i in ipairs(Y)do
cV[#cV+1]=F.cQ(i,F.p(i))
end
if X>0 or #cV>0 then
V[#V+1]={r,X - cj,cj,fJ(h,Y),cV}
end
end
return V
`,
  },
  list: {
    sha: 'c8096998f9267aab491a8e3b5d2c92631b844790',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + group + find + `
loadRest = function()
` + outcomes + lanes + `end
local M,bf,fQ,fu=ARGV[2],tonumber(ARGV[3]),ARGV[4],ARGV[5]=='0'
local cv,i,eA=tonumber(ARGV[6]),ARGV[7],tonumber(ARGV[9])
local cI=string.match(ARGV[8],'^l(.*)$')
local a=F.j(M)or F.aV(M,'','earliest')
local d=a.row
local V={d.token,'',''}
local aa,ay,K=0,0,0
local function dp(dK)
return string.find(fQ,'[' .. dK .. ']')~=nil
end
local function cs(b)
return b and(not b.expires or b.expires>u)
end
local function cr()
return #V - 3>=bf or aa>=8388608 or ay>=33554432 or K>=2048
end
local function bi(aY,b,U,n,bI,ch)
local aj=n and n - u or 0
if n and aj<=0 then
aY='r'
end
if dp(aY)and(not cI or cI==(b.lane or ''))then
local aI=fu and F.dL(b.record)or b.record
aa=aa+#aI+#(bI or '')
local au={
aY,
b.at,
b.id,
b.key or '',
b.lane or '',
b.max or 0,
U,
aj>0 and math.ceil(aj)or -1,
bI or '',
aI,
}
for _,ai in ipairs(ch or{})do
au[#au+1]=ai
aa=aa+(type(ai)=='string' and #ai or 0)
end
V[#V+1]=au
end
end
local function dV(b,U,P,s)
bi('l',b,U,P,nil,d.running and P>u and F.cJ(a,b.seq,s))
end
local function dk(b,j)
if j and j.lease then
dV(b,j.attempt,j.at,j.lease)
elseif cs(b)then
if j and j.parked then
local bE=j.parked
bi('p',b,j.attempt,nil,nil,{bE.reason,bE.data or '',bE.at})
elseif j and not j.blocked then
bi('d',b,j.attempt,j.at,j.error)
elseif not j and b.lane then
bi('r',b,0)
else
bi('b',b,0)
end
end
end
local function eZ(O)
if not(O.ends and O.ends<=u)then
local ch={O.reason,O.at,O.fence,O.message.seq}
bi('x',O.message,O.attempt,nil,O.error,ch)
end
end
local function bO()
local bP=K>0 and math.max(1,ay/K)or 33554432/64
return math.min(256,math.max(1,math.floor((33554432 - ay)/bP)))
end
local function cR(k,bP,bn)
local o=i=='' and '-inf' or '(' .. i
local I=tonumber(i)or 0
while true do
local q=bO()
local D=g('ZRANGEBYSCORE',k,o,bn or '+inf','LIMIT',0,q)
for _,t in ipairs(D)do
K=K+1
ay=ay+#t
local c=bP(t)
if not F.D(c)or c<=I then
F.d('a message')
end
I=c
i=string.format('%.0f',c)
if cr()then
return true
end
end
if #D<q then
return false
end
o='(' .. i
end
end
local bh={}
local function fb(t)
local b=cmsgpack.unpack(t)
local j=F.o(a,b.seq)
if not(j and j.parked)then
dk(b,j)
end
return b.seq
end
local dJ=d.join and(d.join.lanes or d.join.bound)
bh[1]={'lr',function()
local o=tonumber(i~='' and i or 0)+1
while d.leased>d.out do
local t=g('ZRANGEBYSCORE',F.a(a,'leases'),o,'+inf','LIMIT',0,1)[1]
if not t then
return false
end
local p=F.aa(t)
if p.last<o then
F.d('a lease')
end
for c=math.max(o,p.first),p.last do
local b=F.u(c)
i=string.format('%.0f',c)
if not b then
F.d('a lease')
end
K=K+1
ay=ay+#b.record
dV(b,p.attempt,p.ends,p.number)
if cr()then
return true
end
end
o=p.last+1
end
end}
bh[2]={'ldbr',function()
if cI and cI~='' and i=='' then
i=string.format('%.0f',281474976710656 - 1)
end
local bn=cI=='' and 281474976710656 or d.join and d.join.lanes and 281474976710656 or dJ
return cR(F.a(a,'held'),fb,bn and string.format('(%.0f',bn))
end}
bh[3]={'r',function()
local B=d.join
while B do
if(tonumber(i)or 0)>=B.bound - 1 then
F.ao(B)
end
B.from=math.max(B.from,tonumber(i)or 0)
local x,as=F.av(a,bO())
for _,b in ipairs(x)do
K=K+1
ay=ay+#b.record
i=string.format('%.0f',b.seq)
if cs(b)then
bi('r',b,0)
end
if cr()then
return true
end
end
if as>=B.bound and not B.lanes then
return false
end
i=string.format('%.0f',as - 1)
end
end}
bh[4]={'ldbr',function()
if not dJ then
return false
end
i=string.format('%.0f',math.max(dJ - 1,tonumber(i)or 0))
return cR(F.a(a,'held'),fb)
end}
bh[5]={'r',function()
local o=math.max(d.cursor,tonumber(i~='' and i or 0)+1)
while o<e.tail do
local au=F.bl(o,1)[1]
if not au then
return false
end
local l=F.at(au)
local az,av=F.af(l.first,l.last),F.aj(l.first,l.last)
K=K+8
ay=ay+#l.blob
for c=math.max(o,l.first),l.last do
i=string.format('%.0f',c)
if av and av[c] then
K=K+0.25
else
K=K+1
local b=az and az[c] or F.W(l,c - l.first+1)
if cs(b)then
bi('r',b,0)
end
end
if cr()then
return true
end
end
o=l.last+1
end
return false
end}
local function cB(s,n)
return d.since and n<=d.since.at and s<d.since.number
end
bh[6]={'dr',function()
local n,s=string.match(i,'^(.*)/(.*)$')
local cA=0
if n then
local eT=g('ZRANK',m .. 'timers',s)
cA=eT and eT+1 or g('ZCOUNT',m .. 'timers','-inf',n)
end
while true do
local D=g('ZRANGE',m .. 'timers',cA,cA+256 - 1,'WITHSCORES')
for f=1,#D,2 do
local Q=tonumber(D[f+1])
i=D[f+1] .. '/' .. D[f]
K=K+1
if not cB(tonumber(D[f]),Q)then
local b=F.A(D[f])
if cs(b)then
ay=ay+#b.record
bi('d',b,0,Q)
end
end
if cr()then
return true
end
end
if #D<2*256 then
return false
end
cA=cA+256
end
end}
bh[7]={'x',function()
return cR(F.a(a,'dead'),function(t)
local O=cmsgpack.unpack(t)
eZ(O)
return O.message.seq
end)
end}
local function fa(C)
if C.ends<=u or C.status=='dead' and F.x(a,C.seq)then
return
end
local b={id=C.id,key=C.key,lane=C.lane,at=C.at,max=C.max,record=''}
bi('o',b,C.attempt,nil,C.error,F.bU(C))
end
bh[8]={'p',function()
return cR(F.a(a,'parked'),function(t)
local c=tonumber(t)
local b,j=F.ak(a,c)
ay=ay+#b.record
dk(b,j)
return c
end)
end}
bh[9]={'o',function()
return cR(F.a(a,'results'),function(t)
local C=cmsgpack.unpack(t)
fa(C)
return C.seq
end)
end}
local function fP(w)
local y=F.B(w)
if not y then
return
end
if y.number then
local b=F.A(y.number)
local n=tonumber(g('ZSCORE',m .. 'timers',F.b(y.number)))
if n and cs(b)and not cB(y.number,n)then
bi('d',b,0,n)
end
return
end
local bL=F.t(a,y.seq)
if not bL then
return
end
local b=F.ba(a,bL,y.seq)
if not b then
F.d('a message')
end
ay=ay+#b.record
if bL.kind=='lined' then
dk(b)
elseif bL.kind=='leased' then
dV(b,bL.lease.attempt,bL.lease.ends,bL.lease.number)
elseif bL.kind=='ahead' or bL.kind=='unjoined' then
if cs(b)then
bi('r',b,0)
end
else
dk(b,bL.side)
end
end
local function fO(w)
local ak=F.i(w)
local t=g('ZREVRANGEBYLEX',F.a(a,'letters'),'[' .. ak .. '\\255','[' .. ak,'LIMIT',0,1)[1]
local c=t and tonumber(string.sub(t,#ak+1))
c=c or F.bn(w)
local O=c and F.x(a,c)
if O and O.message.id==w then
ay=ay+#O.message.record
eZ(O)
end
end
local function fN()
local A=i=='' and 0 or tonumber(i)
for cl=A,3*eA - 1 do
local w=ARGV[10+math.floor(cl/3)]
i=string.format('%.0f',cl+1)
if cl % 3==2 then
fP(w)
elseif cl % 3==1 then
local C=dp('o')and d.kept and F.cE(a,w)
if C then
fa(C)
end
elseif dp('x')and d.dead>0 then
fO(w)
end
if cr()then
return true
end
end
return false
end
if eA>=0 then
if fN()then
V[2],V[3]='1',i
end
return V
end
while bh[cv] do
local dK,fU=bh[cv][1],bh[cv][2]
if dp(dK)and fU()then
V[2],V[3]=tostring(cv),i
return V
end
cv=cv+1
i=''
end
return V
`,
  },
  purge: {
    sha: '1ddaa2dca754cc66179171af059e93a30463e7a1',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + `end
if not F.cO()then
return F.cg(3)
end
local q=0
local af=aw
e.joining=0
for _,a in pairs(af)do
local d=F.an(ARGV[2] .. q,e.tail,e.bytes)
q=q+1
for _,bQ in ipairs({'acked','failed','latest','deadFor','parksNext','born','served'})do
d[bQ]=a.row[bQ]
end
local Z=a.row.lanes
if Z then
d.lanes={flows=0,ahead=0,again=0,lost=0,at=Z.at,left=Z.left}
end
a.row.join=nil
F.bw(a)
a.row=d
a.changed=true
end
F.ce()
if e.scan then
F.aE(500)
end
F.l(true)
return e.scan and 1 or 0
`,
  },
  release: {
    sha: 'dc8d9ef9260eb096ac0b711de29a8d642fa62818',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.j()
local i=F.f(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local H=F.p(i)
if not H then
return 0
end
local bM=F.P(i,H)
if not bM or ARGV[4]~='1' then
F.aM(i)
elseif bM=='held' then
F.bq(i,H)
end
F.l(true)
return bM and 1 or 0
`,
  },
  results: {
    sha: '318b7cbe40dbe4a6e7486bbe3de5c53b7c5c090d',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + outcomes + `
loadRest = function()
` + lanes + `end
local a=F.j(ARGV[2])
local V,aa={},0
local function fL(w)
local y=a.row.running and F.B(w)
local i=y and y.seq and F.t(a,y.seq)
local s,P
if i and i.kind=='leased' then
s,P=i.lease.number,i.lease.ends
elseif i and i.kind=='held' then
s,P=i.side.lease,i.side.at
end
local bt=s and P>u and F.cJ(a,y.seq,s)
return bt and{'running',bt[1],bt[2]}
end
for f=3,#ARGV do
local C=a and a.row.kept and F.cE(a,ARGV[f])
local ch=C and F.bU(C)or a and fL(ARGV[f])or ''
V[f - 2]=ch
for fy=3,#ch do
aa=aa+#ch[fy]
end
if aa>=8388608 then
break
end
end
return V
`,
  },
  resume: {
    sha: 'ac7314425b4ec225c846f62917f4b0cf06bc9bb1',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + parked + `
loadRest = function()
` + lanes + holds + `end
local eP,ap,dN,ev=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
F.j()
local function fp(a,b)
if e.joining>0 then
F.cl(a,b)
end
local c,af=b.seq,b.record
b.record,b.max,b.at=F.bh({blob=ap,count=1},1),dN,at
if ev then
b.expires=u+ev
F.y(a,b)
end
g('ZREMRANGEBYSCORE',F.a(a,'held'),c,c)
g('ZADD',F.a(a,'held'),c,cmsgpack.pack(b))
a.row.outside=a.row.outside+#b.record - #af
end
local function fK(a,w,y)
local eW=false
for _,c in ipairs(F.ee(a,w,y))do
local i=F.t(a,c)
local b=i and i.kind=='parked' and F.r(a,c)
if b and not(b.expires and b.expires<=u)then
if ap~='' then
fp(a,b)
end
F.cU(a,b)
eW=true
if ap~='' then
break
end
end
end
return eW
end
local W={}
for f=6,#ARGV do
local y=F.B(ARGV[f])
local es='0'
for M,a in pairs(F.c())do
if(eP=='' or M==eP)and fK(a,ARGV[f],y and y.seq)then
es='1'
end
end
W[#W+1]=es
end
F.l(true)
return table.concat(W)
`,
  },
  retryNow: {
    sha: '43318fff78a171d8d0c80e5bdc2a69c402cf169f',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + `
loadRest = function()
` + lanes + holds + `end
local a=F.j(ARGV[2])
local W={}
for f=3,#ARGV do
local y=a and F.B(ARGV[f])
local i=y and y.seq and F.t(a,y.seq)
local fk=i and i.kind=='waiting' and i.side.at>u
if fk then
F.aP(a,y.seq,i.side)
i.side.at=u
F.ac(a,y.seq,i.side)
end
W[#W+1]=fk and '1' or '0'
end
F.l(true)
return table.concat(W)
`,
  },
  settle: {
    sha: '4136d5a87ee238dce08b66884900f1fd9b17a63e',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local a=F.j(ARGV[2])
local aB=F.cP(a,3)
if a and a.changed then
F.cV(a)
if bX then
F.cw()
end
F.cj()
F.l(bK)
end
return aB
`,
  },
  stats: {
    sha: 'f1d9e9bbdd483bdee4ea188f002da9a906e57c9f',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + group + counts + `
loadRest = function()
` + lanes + holds + show + `end
F.j()
F.c()
local q=ARGV[2]=='' and F.cS()or cmsgpack.unpack(ARGV[2])
for M in pairs(q.groups)do
if not aw[M] then
q.groups[M]=nil
end
end
if not F.ck(q,5000)then
return cmsgpack.pack(q)
end
local function cm(b)
return b and math.max(0,at - b.at)
end
local A=F.K()
local de=A and cm(A)
local function dQ(bl)
if bl and(not de or bl>de)then
de=bl
end
end
if F.s()then
local s=g('ZRANGE',m .. 'timers',0,0)[1]
dQ(s and cm(F.A(tonumber(s))))
end
local bc=e.early and g('ZRANGE',m .. 'early',0,0)[1]
dQ(bc and cm(cmsgpack.unpack(bc)))
local V={e.holds and F.en()or{},F.aH(q),F.bP(),-1,e.sent}
for M in pairs(q.groups)do
local a=aw[M]
local d=a.row
local aW,bq,cg,aD,bE=F.bR(q,a)
local fq=d.dead>0 and g('ZCOUNT',F.a(a,'fade'),'-inf',u)or 0
local ax=F.aT(a)
local bl=ax<e.tail and cm(F.u(ax))
local aP=g('ZRANGE',F.a(a,'held'),0,0)[1]
if aP then
bl=math.max(bl or 0,cm(cmsgpack.unpack(aP)))
end
if d.lanes and d.lanes.flows>0 then
local A=g('ZRANGEBYSCORE',F.a(a,'held'),string.format('%.0f',281474976710656),'+inf','LIMIT',0,1)[1]
bl=A and math.max(bl or 0,cm(cmsgpack.unpack(A)))or bl
end
dQ(bl)
for _,ai in ipairs({M,aW,bq,cg,aD,bE,d.dead - fq,bl or -1,d.acked,d.failed})do
V[#V+1]=ai
end
end
V[4]=de or -1
return V
`,
  },
  tidy: {
    sha: '1602871501b721336ea0af25ac30b9c21400c69f',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + `
loadRest = function()
` + lanes + `end
F.j()
F.bt()
F.l()
return(e.scan or e.untidy)and 1 or 0
`,
  },
}
